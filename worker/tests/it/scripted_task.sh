#!/bin/sh
# A task whose behaviour a test writes. It runs in {test folder}/scratch/{worker}/{attempt}/{task}.
. ../../../../behaviour
