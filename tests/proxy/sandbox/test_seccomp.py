from __future__ import annotations

from struct import unpack_from

from proxy.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000


def decide(code: bytes, arch: int, number: int, third: int = 0) -> int:
    """A small BPF machine: only the instructions that the program uses."""
    data = {0: number, 4: arch, 32: third}
    at, value = 0, 0
    while True:
        operation, if_true, if_false, operand = unpack_from("=HBBI", code, at * 8)
        at += 1
        if operation == 0x20:
            value = data[operand]
        elif operation == 0x06:
            return int(operand)
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[operation]
            at += if_true if holds else if_false


def test_decisions_on_both_machines() -> None:
    for arch, plain, no_exec in seccomp._MACHINES.values():
        code = seccomp.program(arch, plain, no_exec)
        assert decide(code, arch, plain[0]) == decide(code, arch, plain[-1]) == ALLOW
        assert decide(code, arch, no_exec[0], 3) == ALLOW
        assert decide(code, arch, no_exec[-1], 3 | 4) == KILL
        assert decide(code, arch ^ 1, plain[0]) == KILL
        assert decide(code, arch, 0x40000000 | plain[0]) == KILL
        assert decide(code, arch, 5000) == KILL


def test_dangerous_calls_are_not_allowed_on_x86_64() -> None:
    arch, plain, no_exec = seccomp._MACHINES["x86_64"]
    code = seccomp.program(arch, plain, no_exec)
    # open connect socket clone fork execve kill ptrace prctl setrlimit openat recvmsg sendmsg io_uring_setup clone3
    for number in (2, 42, 41, 56, 57, 59, 62, 101, 157, 160, 257, 47, 46, 425, 435):
        assert decide(code, arch, number) == KILL


def test_unknown_machines_have_no_filter() -> None:
    assert seccomp.build("m68k") is None
    assert seccomp.build("x86_64") is not None
    assert seccomp.build("aarch64") is not None
