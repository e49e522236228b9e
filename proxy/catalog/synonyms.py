"""Synonyms: what people say, and the words that interface descriptions use for it.

Read-only tables of general English and general web-API vocabulary, not of the names of any one product. A line of
ALTERNATIVES reads: `word: other worth, ...`, where worth (0..1) is how much of a hit the other word is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from proxy.catalog.phrases import lines_of
from proxy.catalog.verbs import ACTIONS
from proxy.catalog.words import stem

_ALTERNATIVES = """
accept: approve 0.8, merge 0.5
account: user 0.6
activate: enable 0.9, update 0.5
add: create 0.8, new 0.4, insert 0.6
administrator: admin 1, owner 0.4, role 0.4
alert: notification 0.3, advisory 0.4
allow: enable 0.6, add 0.5, grant 0.7, permission 0.4, access 0.5, role 0.4
answer: reply 0.9, respond 0.8
approve: review 0.7, approval 0.9
archive: update 0.5
ask: request 0.8, create 0.3
assign: assignee 0.8, add 0.4
attach: add 0.6, upload 0.6, create 0.3
attachment: asset 0.6, file 0.6
author: user 0.4, creator 0.6
automatically: auto 1, automatic 0.8
backup: snapshot 0.5
ban: block 0.9, remove 0.4
between: compare 0.7
bigger: resize 1
bill: invoice 0.8, billing 0.9
bio: profile 0.8, user 0.5
bookmark: star 0.7
branch: ref 0.4, reference 0.5
bug: issue 0.8
build: workflow 0.5, run 0.4, job 0.4, action 0.4
busy: load 0.6, usage 0.5
buy: purchase 0.9, order 0.7
cancel: stop 0.7, abort 0.7
change: update 0.9, set 0.6, edit 0.7
channel: conversation 0.6
chargeback: dispute 0.9
check: get 0.7, list 0.4
ci: workflow 0.7, check 0.6
clean: delete 0.5, purge 0.7, prune 0.7, garbage 0.8, cleanup 1
cleanup: clean 1, garbage 0.7, prune 0.7
clone: copy 0.8, duplicate 0.8
close: update 0.6, state 0.3
colleague: member 0.7, user 0.6, reviewer 0.6, collaborator 0.6
command: exec 0.4
company: organization 0.7
compare: diff 0.8, difference 0.8
config: configuration 1, setting 0.7
conversation: issue 0.5, discussion 0.6, thread 0.6
copy: duplicate 0.8, clone 0.7, fork 0.4, replica 0.5, snapshot 0.3
count: total 0.6, list 0.4, number 0.5
coupon: discount 0.7, promotion 0.5
crash: failure 0.6, error 0.5, log 0.3
create: add 0.8, new 0.5, insert 0.6
credential: secret 0.5, token 0.5, key 0.4, password 0.4
customer: client 0.5, user 0.4
deactivate: disable 0.9, update 0.5
deadline: due 0.9, milestone 0.4
decline: reject 0.9, deny 0.8, refuse 0.9
delete: remove 0.8, destroy 0.8
destroy: delete 0.9, remove 0.8
diff: compare 0.8
difference: compare 1, diff 0.9
directory: folder 0.8, content 0.4
disable: update 0.4, deactivate 0.7, delete 0.4, remove 0.3, shutdown 0.6, stop 0.6, power 0.4
discard: delete 0.9, remove 0.8
discount: coupon 0.8, promotion 0.7
disk: volume 0.8, storage 0.6
display: get 0.9, list 0.7
download: get 0.7
drop: delete 0.8, remove 0.8
earning: balance 0.6, payout 0.6
edit: update 0.9, modify 0.8
enable: update 0.5, activate 0.7, set 0.4, power 0.4, start 0.5
enlarge: resize 0.9
env: environment 1, variable 0.6
erase: delete 0.9, remove 0.8
error: failure 0.6, log 0.3
event: activity 0.4
everyone: member 0.5, user 0.5
execute: run 0.8, dispatch 0.4, create 0.3
expand: resize 0.8
expel: remove 0.8, delete 0.5
expense: cost 0.7, charge 0.5
export: download 0.6, get 0.4
favorite: star 0.9
favourite: star 0.9
fetch: get 0.9, list 0.5, download 0.5, retrieve 0.8
file: content 0.7, document 0.4
find: search 0.9, list 0.5, get 0.5
fix: update 0.5, repair 0.8
folder: directory 0.9, content 0.4
forbid: disable 0.6, block 0.6, remove 0.4, deny 0.8, restrict 0.7, policy 0.5
forget: delete 0.8, remove 0.8, detach 0.6
freeze: lock 0.6, suspend 0.7, pause 0.7, disable 0.6, update 0.5
friend: user 0.6, collaborator 0.7, member 0.5
full: usage 0.6, free 0.5
get: list 0.4, fetch 0.7, read 0.6, retrieve 0.8
give: add 0.6, set 0.6, grant 0.9
grant: add 0.7, set 0.6
grow: resize 0.9, scale 0.7
hide: update 0.5, minimize 0.7
history: commit 0.5, log 0.6, event 0.5
hook: webhook 1
host: server 0.6, machine 0.6, instance 0.4
https: certificate 0.8, tls 1, ssl 1
instance: server 0.6, machine 0.6
invite: add 0.7, invitation 0.9
item: product 0.5
job: task 0.5, run 0.4
join: membership 0.6, accept 0.5, add 0.4
key: token 0.3, secret 0.3
kick: remove 0.8, delete 0.5, block 0.4
label: tag 0.4
latest: last 0.7, recent 0.7
launch: start 0.8, create 0.6, run 0.6
leave: remove 0.6, delete 0.5, unsubscribe 0.6
let: allow 0.9, enable 0.5, permission 0.4, access 0.4, session 0.2
list: get 0.4, search 0.3, all 0.2
log: event 0.3, audit 0.3
login: user 0.5, credential 0.5
lookup: get 0.9, search 0.7
machine: server 0.8, instance 0.7, vm 1, virtual 0.3, node 0.5
make: create 0.9, add 0.6
manual: dispatch 0.6, trigger 0.5
mark: set 0.6, update 0.5
member: membership 0.8, user 0.4
message: comment 0.4, mail 0.4
metric: statistic 0.7, usage 0.6
mine: authenticated 1, me 0.8
modify: update 0.9, edit 0.8
money: balance 0.5, payment 0.5, amount 0.3
move: update 0.5, transfer 0.6
my: authenticated 1, me 0.8, own 0.5
new: create 0.8, add 0.7
newest: latest 0.9
note: comment 0.5
open: create 0.8
org: organization 1
organisation: organization 1, org 1
organization: org 1
output: log 0.7, result 0.5
owe: balance 0.9, due 0.8, invoice 0.7, amount 0.4
password: secret 0.5, credential 0.6
pause: suspend 0.8, disable 0.6, stop 0.6, update 0.4
pay: payment 0.9, charge 0.6, bill 0.5, billing 0.6, invoice 0.5
payout: transfer 0.4
people: user 0.8, member 0.7
permission: access 0.6, role 0.5
person: user 0.8, member 0.6
photo: image 0.9, picture 0.9
picture: image 0.9, avatar 0.6, photo 0.9
pipeline: workflow 0.7, run 0.4, action 0.4
post: create 0.8, send 0.6
price: cost 0.7, billing 0.4
print: log 0.8, output 0.7
problem: issue 0.7, error 0.5
product: item 0.6
profile: user 0.7
promote: update 0.5, role 0.4
protect: protection 1, restrict 0.7, rule 0.5, policy 0.4
publish: create 0.8
purchase: order 0.7, buy 0.9
push: write 0.4, commit 0.4
quota: limit 0.8, usage 0.7
reach: access 0.7, connect 0.6, firewall 0.5
react: reaction 1
read: get 0.9, list 0.4
reboot: restart 0.9
recent: latest 0.7
redeploy: deploy 0.9, deployment 1
refresh: sync 0.6, update 0.5
region: location 0.6, datacenter 0.6, zone 0.5
register: create 0.8, add 0.6, subscription 0.5
reject: decline 0.9, deny 0.8
remaining: limit 0.7, left 0.5
remove: delete 0.8, destroy 0.7
rename: update 0.5, name 0.3
reopen: update 0.6, state 0.3
replace: update 0.7, set 0.7
reply: comment 0.6, create 0.3
repo: repository 1
repository: repo 1
rerun: retry 0.7, re 0.4, run 0.5
reset: update 0.4, delete 0.4
resize: scale 0.6, size 0.5
resolve: update 0.5, close 0.6
respond: reply 0.8, update 0.6, answer 0.8, submit 0.5
restart: reboot 0.9, rollout 0.6, update 0.3
restore: recover 0.8
resume: unsuspend 0.8, enable 0.6, start 0.6, update 0.4
retrieve: get 0.9, list 0.6
retry: rerun 0.7, redeliver 0.6
return: refund 0.8, revert 0.6, reversal 0.6, release 0.5, delete 0.4
revert: reversal 0.9, reverse 0.9, rollback 0.7
reviewer: review 0.6
revoke: delete 0.7, remove 0.7, revocation 0.9
rollback: revert 0.8, restore 0.6, revision 0.4
run: dispatch 0.5, execute 0.7, trigger 0.7, exec 0.7
save: create 0.6, update 0.6, put 0.5
say: comment 0.8, review 0.5
scale: resize 0.7, replica 0.4
schedule: create 0.4, cron 0.6
search: find 0.8, query 0.6, list 0.3
see: get 0.8, list 0.7
send: create 0.6, post 0.6
server: machine 0.8, instance 0.7, vm 0.8, host 0.5, node 0.3
set: update 0.7, create 0.6, put 0.5
setting: configuration 0.6, config 0.6, preference 0.6
shell: exec 0.8, terminal 0.6
shop: location 0.6, store 0.7
show: get 0.9, list 0.7
shrink: resize 0.9, scale 0.6
shutdown: power 0.7, stop 0.7
site: website 1, page 0.6, domain 0.5
someone: user 0.5, member 0.5
space: storage 0.7, disk 0.5
start: create 0.5, run 0.5, begin 0.8, launch 0.8, dispatch 0.5
stat: statistic 1, metric 0.6, usage 0.5
statistic: stat 1, metric 0.6, usage 0.5
stock: inventory 0.8
stop: cancel 0.8, abort 0.6
store: save 0.8, create 0.7, put 0.5
submit: create 0.7, send 0.6
subscribe: subscription 1, watch 0.6, create 0.3
suspend: disable 0.7, pause 0.8, block 0.4
swap: replace 0.8, update 0.7
sync: synchronize 1, upstream 0.5, refresh 0.7, update 0.4
tag: label 0.3
take: create 0.8
task: issue 0.4, job 0.4
teammate: member 0.8
test: ping 0.5, check 0.5
text: content 0.5, body 0.5
ticket: issue 0.8
todo: task 0.8, issue 0.4
toggle: update 0.5, enable 0.5, set 0.5
token: key 0.3, credential 0.4
traffic: network 0.6
trash: delete 0.9, remove 0.8
trigger: dispatch 0.8, run 0.6, create 0.5
unarchive: update 0.6, archive 0.6
unassign: remove 0.8, assignee 0.8
unban: unblock 0.9
undo: revert 0.8, restore 0.6, delete 0.4
unsubscribe: subscription 0.9, delete 0.6
update: edit 0.8, set 0.5, patch 0.7, modify 0.8, change 0.7
upload: create 0.4, put 0.4
usage: metric 0.6, statistic 0.5, consumption 0.6
verify: check 0.8, validate 0.8
version: release 0.5, tag 0.4
view: get 0.9, list 0.7
virtual: vm 0.6
visit: view 0.8, traffic 0.8, visitor 0.8
visitor: view 0.7, traffic 0.7
vm: machine 0.8, instance 0.7, server 0.7, virtual 0.5
vulnerability: alert 0.7, advisory 0.8, security 0.6
vulnerable: vulnerability 1, alert 0.6
watch: subscription 0.7, watcher 0.8
webhook: hook 1
website: site 1, page 0.7, domain 0.5
who: user 0.3, member 0.3, collaborator 0.4, contributor 0.4, people 0.3
wipe: delete 0.9, remove 0.8, erase 0.9, clear 0.8
worker: runner 0.7, node 0.5
workspace: organization 0.4, team 0.4
write: create 0.6, update 0.6
"""


def _worths(text: str) -> Mapping[str, float]:
    pairs = (entry.split() for entry in text.split(","))
    return MappingProxyType({word: float(worth) for word, worth in pairs})


# Word -> words that mean much the same.
ALTERNATIVES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {word: _worths(others) for word, others in lines_of(_ALTERNATIVES)}
)
# Stem -> the word of these tables that has it. A word that stands there itself needs none.
ROOTS: Mapping[str, str] = MappingProxyType({stem(word): word for word in sorted({*ALTERNATIVES, *ACTIONS})})
