#!/bin/bash
# answers PORT PATH: whether this container answers 200 there. Bash alone, so that the image needs no HTTP client.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
read -r _ status _ <&3
[ "$status" = 200 ]
