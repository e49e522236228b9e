"""Phrases: words of a request that mean something else together, or little, or nothing.

Read-only tables of general English. A line reads: `what is said: what is meant`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Words that carry no meaning in a request. They are dropped from queries unless nothing else is left.
STOP_WORDS = frozenset(
    """
    a about all an and any are as at be bring by can could did do does for from had has have he her him
    his how i if in into is it its me need of old on or our out per please she should so some tell
    that the their them then there these they this those to up us use using via want was we what whether
    which will with would you your
    """.split()
)

# Words that tell little of what is meant, and much of nothing in particular where a path or a name has them.
WEAK_WORDS = frozenset(
    """
    app application authenticated current existing first last latest main mine my other own people person someone thing
    user whole
    """.split()
)
_PHRASES = """
who am i: authenticated user
whoami: authenticated user
my profile: authenticated user
my account: authenticated user
about me: authenticated user
current user: authenticated user
logged in user: authenticated user
do i have: my
get rid of: delete
leave a: add
get notified: create webhook notification
get alerted: create alert
notify me: create webhook notification
alert me: create alert
tell me when: create alert
tell me if: create alert
change the name: rename
thumbs up: reaction
how many: count
let me: show
went wrong: error
goes wrong: error
by hand: manual
pr: pull request
prs: pull request
mr: merge request
mrs: merge request
readme file: readme
up to date: sync
found: find
sent: send
made: make
built: build
ran: run
written: write
given: give
paid: pay
bought: buy
left: remaining
failing: failed
money back: refund
what happened: event
what happens: event
somebody: someone
anyone: someone
everybody: everyone
"""

# Verbs that mean something else with a particle, which may stand a few words later: "hook a disk up to a server".
_PHRASAL_VERBS = """
back up: backup
bring together: merge
bring up: create
call off: cancel
check in: commit
cut off: disable
free up: clean
give back: return
go back: rollback
hand over: transfer
hook up: attach
keep from: protect
kick off: start
kick out: remove
log in: login
log out: logout
look up: get
pay back: refund
plug in: attach
power off: shutdown
power on: start
put in: add
put into: add
put on: add
put online: publish
put together: merge
roll back: rollback
roll out: update
send back: return
set up: create
shut down: stop
shut off: disable
sign in: login
sign out: logout
sign up: register
spin up: create
stop from: protect
switch off: disable
switch on: enable
take away: remove
take back: revert
take down: delete
take off: remove
take out: remove
take over: transfer
throw away: delete
throw out: remove
turn down: decline
turn off: disable
turn on: enable
write off: uncollectible
"""


def lines_of(table: str) -> list[tuple[str, str]]:
    """`key: value` of each line."""
    parts = (line.partition(":") for line in table.strip().splitlines())
    return [(key, value.strip()) for key, _, value in parts]


# Phrases are replaced before the query is cut into words; the longest match wins.
PHRASES: Mapping[tuple[str, ...], tuple[str, ...]] = MappingProxyType(
    {tuple(said.split()): tuple(meant.split()) for said, meant in lines_of(_PHRASES)}
)
PHRASAL_VERBS: Mapping[tuple[str, str], str] = MappingProxyType(
    {(said.split()[0], said.split()[1]): meant for said, meant in lines_of(_PHRASAL_VERBS)}
)
