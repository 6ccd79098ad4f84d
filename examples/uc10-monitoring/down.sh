#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ends what apps.sh and run.sh began, with its volumes.
set -u

docker rm -f -v prometheus grafana loki promtail my-web-app my-api-server my-database
docker network rm monitoring-net web-net api-net
