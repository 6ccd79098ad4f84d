#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# databases.sh - PostgreSQL makes no database without a password: the guide's three lines again, with one each.
set -eu
docker rm dev-db staging-db prod-db
docker run -d --name dev-db --network dev-network -p 5433:5432 -e POSTGRES_PASSWORD=dev-secret postgres:15
docker run -d --name staging-db --network staging-network -e POSTGRES_PASSWORD=staging-secret postgres:15
docker run -d --name prod-db --network prod-network -e POSTGRES_PASSWORD=prod-secret postgres:15
