#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 6: an API gateway before services that nobody reaches but through it; configure.sh tells it its routes.
set -eu

# Create networks
docker network create public-net
docker network create private-services-net

# API Gateway (Kong/Nginx/Traefik) - Entry point
docker run -d --name kong-gateway \
  --network public-net \
  -p 80:8000 \
  -p 443:8443 \
  -p 8001:8001 \
  kong:latest

# Connect gateway to private network
docker network connect private-services-net kong-gateway

# Private microservices (NOT exposed to public)
docker run -d --name auth-service \
  --network private-services-net \
  auth-service:latest

docker run -d --name user-service \
  --network private-services-net \
  user-service:latest

docker run -d --name analytics-service \
  --network private-services-net \
  analytics-service:latest

docker run -d --name billing-service \
  --network private-services-net \
  billing-service:latest
