#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh dev|staging|prod - brings one environment up. The guide's use case 4 has a compose file for each, and takes
# passwords and certificates for granted: change them here.
set -eu
cd "$(dirname "$0")"
export STAGING_DB_PASSWORD="${STAGING_DB_PASSWORD:-staging-secret}"
export PROD_DB_PASSWORD="${PROD_DB_PASSWORD:-prod-secret}"
env=${1:?dev, staging or prod}
[ "$env" = dev ] || ./certificates.sh
docker compose -f "docker-compose.$env.yml" -p "$env" up -d
