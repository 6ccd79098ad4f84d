#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# apart.sh - on the guide's monitoring-network the three APIs are neighbours, and reach each other. Here each
# environment gets a monitoring network of its own; Prometheus is on all of them, and nobody else on two.
set -eu
docker network create --internal monitoring-dev
docker network create --internal monitoring-staging
docker network create --internal monitoring-prod

docker network connect monitoring-dev prometheus
docker network connect monitoring-staging prometheus
docker network connect monitoring-prod prometheus

docker network connect monitoring-dev dev-api
docker network connect monitoring-staging staging-api
docker network connect monitoring-prod prod-api

docker network disconnect monitoring-network dev-api
docker network disconnect monitoring-network staging-api
docker network disconnect monitoring-network prod-api
