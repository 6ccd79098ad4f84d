#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 3 of the guide, as it stands there.
set -eu

# Create INTERNAL network (no external access whatsoever)
docker network create --internal db-internal-net

# Production database on internal network only
docker run -d --name production-db \
  --network db-internal-net \
  -e POSTGRES_PASSWORD=super_secret_password \
  -e POSTGRES_DB=production \
  -v /var/lib/postgresql/data:/var/lib/postgresql/data \
  postgres:15

# Application server with access to database
docker run -d --name app-server \
  --network db-internal-net \
  -e DB_HOST=production-db \
  -e DB_PORT=5432 \
  -e DB_NAME=production \
  myapp:latest

# Web server (separate network for external access)
docker network create web-public-net

docker run -d --name nginx-proxy \
  --network web-public-net \
  -p 443:443 \
  nginx:alpine

# Connect app-server to both networks
docker network connect web-public-net app-server

# Verify database is truly isolated
docker network inspect db-internal-net
