#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - the guide's use case 8, as it stands there. Its databases have no password and end at once: databases.sh
# starts them with one; monitor.sh tells Prometheus what to watch; apart.sh closes the way between the environments.
set -eu

# Development Environment
docker network create dev-network
docker run -d --name dev-api --network dev-network -p 3001:3000 api:dev
docker run -d --name dev-db --network dev-network -p 5433:5432 postgres:15
docker run -d --name dev-redis --network dev-network -p 6380:6379 redis:alpine

# Staging Environment
docker network create staging-network
docker run -d --name staging-api --network staging-network -p 3002:3000 api:staging
docker run -d --name staging-db --network staging-network postgres:15
docker run -d --name staging-redis --network staging-network redis:alpine

# Production Environment
docker network create prod-network
docker run -d --name prod-api --network prod-network -p 443:3000 api:prod
docker run -d --name prod-db --network prod-network postgres:15
docker run -d --name prod-redis --network prod-network redis:alpine

# Monitoring (shared across all environments)
docker network create monitoring-network
docker run -d --name prometheus --network monitoring-network -p 9090:9090 prom/prometheus
docker run -d --name grafana --network monitoring-network -p 3000:3000 grafana/grafana

# Connect all environments to monitoring
docker network connect monitoring-network dev-api
docker network connect monitoring-network staging-api
docker network connect monitoring-network prod-api
