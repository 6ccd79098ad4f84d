#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# down.sh - removes all that the other scripts made, the databases' volumes too.
for env in dev staging prod; do
	docker rm -f -v $env-api $env-db $env-redis
done
docker rm -f -v prometheus grafana
for env in dev staging prod; do
	docker network rm $env-network
	docker network inspect monitoring-$env >/dev/null 2>&1 && docker network rm monitoring-$env
done
docker network rm monitoring-network
