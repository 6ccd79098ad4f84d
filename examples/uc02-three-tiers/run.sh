#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 2: a web application in three tiers, each on networks of its own.
set -eu

# Create separate networks for each tier
docker network create frontend-net
docker network create backend-net
docker network create database-net

# Tier 3: Database (only on database network)
docker run -d --name postgres-db \
  --network database-net \
  -e POSTGRES_PASSWORD=securepass \
  -e POSTGRES_DB=appdb \
  postgres:15

# Tier 2: Backend API (connected to both backend and database networks)
docker run -d --name api-server \
  --network backend-net \
  -e DATABASE_URL=postgres://postgres-db:5432/appdb \
  api:latest

docker network connect database-net api-server

# Tier 1: Frontend (only on frontend network)
docker run -d --name web-ui \
  --network frontend-net \
  nginx:alpine

# API Gateway (bridges frontend and backend)
docker run -d --name api-gateway \
  --network frontend-net \
  -p 443:443 \
  gateway:latest

docker network connect backend-net api-gateway
