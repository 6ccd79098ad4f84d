#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 1: six services of a shop on one network, which find each other by name.
set -eu

# Create network for the entire application
docker network create ecommerce-net

# Start microservices
docker run -d --name user-service --network ecommerce-net user-service:latest
docker run -d --name product-service --network ecommerce-net product-service:latest
docker run -d --name order-service --network ecommerce-net order-service:latest
docker run -d --name payment-service --network ecommerce-net payment-service:latest
docker run -d --name inventory-service --network ecommerce-net inventory-service:latest
docker run -d --name notification-service --network ecommerce-net notification-service:latest
