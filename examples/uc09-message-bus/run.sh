#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 9: services that talk through RabbitMQ alone.
set -eu

# Create event bus network
docker network create event-bus-net

# Message Broker (RabbitMQ)
docker run -d --name rabbitmq \
  --network event-bus-net \
  -p 15672:15672 \
  -e RABBITMQ_DEFAULT_USER=admin \
  -e RABBITMQ_DEFAULT_PASS=secret \
  rabbitmq:3-management

# Event Producers
docker run -d --name order-service \
  --network event-bus-net \
  -e RABBITMQ_HOST=rabbitmq \
  order-service:latest

docker run -d --name inventory-service \
  --network event-bus-net \
  -e RABBITMQ_HOST=rabbitmq \
  inventory-service:latest

docker run -d --name payment-service \
  --network event-bus-net \
  -e RABBITMQ_HOST=rabbitmq \
  payment-service:latest

# Event Consumers
docker run -d --name email-service \
  --network event-bus-net \
  -e RABBITMQ_HOST=rabbitmq \
  email-service:latest

docker run -d --name notification-service \
  --network event-bus-net \
  -e RABBITMQ_HOST=rabbitmq \
  notification-service:latest

docker run -d --name analytics-service \
  --network event-bus-net \
  -e RABBITMQ_HOST=rabbitmq \
  analytics-service:latest
