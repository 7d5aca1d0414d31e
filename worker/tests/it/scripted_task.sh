#!/bin/sh
# A task whose behaviour a test writes. It runs in {test folder}/scratch/{worker}/{attempt}/{task}.
# The trial at a worker's start is passed without being tried: the tests of media have the real program do it.
if [ "$(/bin/cat request.json)" = '{"task":"trial"}' ]; then
    echo '{"event":"tried","walls":{"landlock":1,"seccomp":true,"missing":[]},"attempts":[{"what":"pass","forbidden":true,"refused":true,"said":""}]}'
    echo '{"event":"done"}'
    exit 0
fi
. ../../../../behaviour
