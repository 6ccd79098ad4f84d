#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 10 of the guide, its commands as they stand there. "-v ./FILE" wants docker 23 or newer, or atoll.
# Before it: ./apps.sh, the applications that run already.
set -eu
cd "$(dirname "$0")"

# Create monitoring network
docker network create monitoring-net

# Prometheus (metrics collection)
docker run -d --name prometheus \
  --network monitoring-net \
  -p 9090:9090 \
  -v ./prometheus.yml:/etc/prometheus/prometheus.yml \
  prom/prometheus

# Grafana (visualization)
docker run -d --name grafana \
  --network monitoring-net \
  -p 3000:3000 \
  -e GF_SECURITY_ADMIN_PASSWORD=admin \
  grafana/grafana

# Loki (log aggregation)
docker run -d --name loki \
  --network monitoring-net \
  -p 3100:3100 \
  grafana/loki

# Promtail (log collector)
docker run -d --name promtail \
  --network monitoring-net \
  -v /var/log:/var/log \
  -v ./promtail-config.yml:/etc/promtail/config.yml \
  grafana/promtail

# Application containers join monitoring network
docker network connect monitoring-net my-web-app
docker network connect monitoring-net my-api-server
docker network connect monitoring-net my-database
