#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes down what run.sh has made.
set -eu

docker rm -f kong-gateway auth-service user-service analytics-service billing-service
docker network rm public-net private-services-net
