#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Tells the gateway, by its admin API, which paths go to which service.
set -eu

# Configure routes in Kong
# Route /api/auth/* → auth-service
curl -X POST http://localhost:8001/services \
  -d name=auth-service \
  -d url=http://auth-service:3000

curl -X POST http://localhost:8001/services/auth-service/routes \
  -d paths[]=/api/auth

# Route /api/users/* → user-service
curl -X POST http://localhost:8001/services \
  -d name=user-service \
  -d url=http://user-service:4000

curl -X POST http://localhost:8001/services/user-service/routes \
  -d paths[]=/api/users
