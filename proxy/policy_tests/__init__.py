"""`executor test`: what people expect of their policies, held against the rules that a server would use."""
