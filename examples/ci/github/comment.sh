#!/bin/sh
# Put FILE as a comment on a pull request; the comment of an earlier run is replaced.  comment.sh NUMBER FILE
set -eu
number=$1
file=$2
[ -s "$file" ] || exit 0
marker='<!-- executor-diff -->'
comments="repos/$GITHUB_REPOSITORY/issues/$number/comments"
known=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | head -n 1)
if [ -n "$known" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$known" --field body=@"$file" >/dev/null
else
    gh api --method POST "$comments" --field body=@"$file" >/dev/null
fi
