# SPDX-License-Identifier: GPL-2.0-or-later
"""A plug: events over RabbitMQ at RABBITMQ_HOST. A service knows the broker's name and no other.

An event's name is a durable fanout exchange. Whoever acts on it has a durable queue of its own behind it, which
keeps what comes while the service is away. Messages are persistent, the broker confirms each that it has taken,
and a consumer acknowledges what it has done: so nothing that was confirmed is lost. What comes twice is done once.

    /publish?id=ID   publishes the service's event; answered when the broker has confirmed it
    /events          what this service has done since it started, and whether it hears the broker
"""
import json
import logging
import os
import threading
import time
import uuid

import pika

NAME = os.environ.get("SERVICE_NAME", "service")
ORDER, STOCK, PAYMENT = "OrderCreated", "StockReduced", "PaymentProcessed"
PUBLISHES = {"order-service": ORDER, "inventory-service": STOCK, "payment-service": PAYMENT}
# event -> what the service does about it; SUBSCRIBE makes a listener of any service
ACTS = {"inventory-service": {ORDER: "reduced stock"}, "payment-service": {ORDER: "processed payment"},
        "email-service": {ORDER: "sent confirmation email"}, "notification-service": {ORDER: "sent push notification"},
        "analytics-service": {e: "logged for reporting" for e in (ORDER, STOCK, PAYMENT)}}
MINE = ACTS.get(NAME) or {e: "heard it" for e in os.environ.get("SUBSCRIBE", "").split()}
PATIENCE = 5  # seconds, of one who waits and between tries to connect

log = logging.getLogger(NAME)
done, state = {}, {"connected": False}  # done: {(event, id): what}
publishing, publisher = threading.Lock(), []


def connect(**more):
    """A channel whose messages the broker confirms."""
    login = pika.PlainCredentials(os.environ.get("RABBITMQ_USER", "admin"), os.environ.get("RABBITMQ_PASS", "secret"))
    c = pika.BlockingConnection(pika.ConnectionParameters(
        os.environ["RABBITMQ_HOST"], credentials=login, socket_timeout=PATIENCE, blocked_connection_timeout=PATIENCE, **more))
    channel = c.channel()
    channel.confirm_delivery()
    return channel


def send(channel, event, body):
    """Returns when the broker has confirmed it, and raises otherwise."""
    channel.basic_publish(event, "", json.dumps(body).encode(), pika.BasicProperties(
        delivery_mode=2, message_id=body["id"], type=event, content_type="application/json"))


def publish(query):
    event, body = PUBLISHES[NAME], {"id": query.get("id") or uuid.uuid4().hex, "from": NAME}
    with publishing:
        if publisher and publisher[0].is_closed:
            publisher.clear()
        if not publisher:
            publisher.append(connect(heartbeat=0))  # nobody attends to it between events
            publisher[0].exchange_declare(event, "fanout", durable=True)
        try:
            send(publisher[0], event, body)
        except Exception:  # the next one connects anew
            publisher.clear()
            raise
    return {"event": event, "confirmed": True, **body}


def act(channel, method, properties, body):
    event, order = properties.type, json.loads(body)
    if (event, order["id"]) not in done:
        if event == ORDER and NAME in PUBLISHES:
            send(channel, PUBLISHES[NAME], dict(order, **{"from": NAME}))
        done[event, order["id"]] = MINE[event]
        log.info("%s %s: %s", event, order["id"], MINE[event])
    channel.basic_ack(method.delivery_tag)


def listen():
    """Hears events for ever; a broker that is not there yet, or goes, is waited for."""
    pause = 0.2
    while True:
        try:
            channel = connect(heartbeat=30)
            for event in {*MINE, *([PUBLISHES[NAME]] if NAME in PUBLISHES else [])}:
                channel.exchange_declare(event, "fanout", durable=True)
            channel.queue_declare(NAME, durable=True)
            for event in MINE:
                channel.queue_bind(NAME, event)
            channel.basic_qos(prefetch_count=50)
            channel.basic_consume(NAME, act)
            pause, state["connected"] = 0.2, True
            log.info("hears %s", ", ".join(MINE))
            channel.start_consuming()
        except Exception as e:  # whatever it is, the service goes on
            log.warning("no broker: %s: %s", type(e).__name__, e)
        state["connected"] = False
        time.sleep(pause)
        pause = min(2 * pause, PATIENCE)


def events(query):
    all_done = [{"event": event, "id": order, "did": did} for (event, order), did in list(done.items())]
    return {"service": NAME, "connected": state["connected"], "count": len(all_done), "events": all_done}


PATHS = {"/events": events}
if NAME in PUBLISHES:
    PATHS["/publish"] = publish


def start():
    if MINE:
        threading.Thread(target=listen, daemon=True).start()
