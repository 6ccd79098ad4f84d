#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# down.sh dev|staging|prod [-v] - removes one environment; with -v production's database, too.
set -eu
cd "$(dirname "$0")"
export STAGING_DB_PASSWORD="${STAGING_DB_PASSWORD:-}" PROD_DB_PASSWORD="${PROD_DB_PASSWORD:-}"
env=${1:?dev, staging or prod}
shift
docker compose -f "docker-compose.$env.yml" -p "$env" down --remove-orphans "$@"
