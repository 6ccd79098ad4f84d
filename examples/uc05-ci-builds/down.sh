#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh cleans up after itself. This removes what builds left that were broken off.
set -eu

for net in $(docker network ls -q --filter name=test-env-); do
	for c in $(docker ps -aq --filter network="$net"); do
		docker rm -f "$c"
	done
	docker network rm "$net"
done
