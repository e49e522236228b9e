"""What happened lately, for people who look: hits of rules, executions and their timelines, what each rule says.

Kept in this process and bounded; what the state store and the audit trail know is only read here.
"""
