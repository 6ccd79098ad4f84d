# SPDX-License-Identifier: GPL-2.0-or-later
"""The guide's own paths: what each service has to say. A service knows its own paths only."""
import itertools
import os
import socket

NAME = os.environ.get("SERVICE_NAME", "service")
WHO = {"service": NAME, "version": os.environ.get("SERVICE_VERSION", "1.0.0"), "host": socket.gethostname()}
numbers = itertools.count(1)

API = {
    "user-service": {"/api/user/email": {"user": "ada", "email": "ada@example.com"},
                     "/api/users": {"users": ["ada", "grace"]}},
    "product-service": {"/api/products": {"products": ["lamp", "chair"]}},
    "order-service": {"/api/orders": {"orders": []}},
    "payment-service": {"/api/process-payment": {"payment": "accepted"}},
    "inventory-service": {"/api/check-stock": {"stock": {"lamp": 7, "chair": 0}}},
    "notification-service": {"/api/notify": {"notified": ["ada"]}},
    "auth-service": {"/api/auth": {"user": "ada", "roles": ["customer"]}},
    "analytics-service": {"/api/analytics": {"visits": 42}},
    "billing-service": {"/api/billing": {"invoices": []}},
    "api": {"/api/status": {"status": "running"}},
    "myapp": {"/api/status": {"status": "running"}},
}


def says(answer):
    return lambda query: dict(WHO, request=next(numbers), **answer)


PATHS = {path: says(answer) for path, answer in API.get(NAME, {}).items()}
