#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes away what run.sh made. The database's files stay in /var/lib/postgresql/data.
docker rm -f nginx-proxy app-server production-db
docker network rm web-public-net db-internal-net
