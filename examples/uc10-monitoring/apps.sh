#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What runs before the monitoring comes: a web application, an API server and its database, on networks of their own.
set -eu

docker network create web-net
docker network create api-net

docker run -d --name my-web-app \
  --network web-net \
  -v /var/log/apps:/var/log/apps \
  my-web-app

docker run -d --name my-api-server \
  --network api-net \
  -v /var/log/apps:/var/log/apps \
  my-api-server

docker run -d --name my-database \
  --network api-net \
  -e POSTGRES_PASSWORD=secret \
  my-database
