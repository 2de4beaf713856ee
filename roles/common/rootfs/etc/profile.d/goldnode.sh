# shellcheck shell=dash
# A shell of root that nobody looks at ends; what runs in it does not.
ulimit -c 0
TMOUT=1800
export TMOUT
