#!/bin/sh
# What udhcpc runs at each event: hands the event and its environment to netmon, which decides. Each item ends with a NUL and
# the record with an empty item, so nothing that a DHCP server sends is ever a word of a shell.
printf '%s\0' "$1"
env -0
printf '\0'
