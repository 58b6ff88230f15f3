//! `schemas/asyncapi.yaml`: what goes over the broker.

use serde_json::{Map, Value, json};

use crate::queues::{DEAD_EXCHANGE, EXCHANGE, Queue};
use crate::yaml::yaml;

const REQUESTED: &str = "A purchase to be made. Publish it persistent and mandatory, with publisher \
confirms, a `message_id` of its own and your own `user_id`, which the broker checks: it decides for \
which clients you may ask. `clientId` and `clientTxnRef` identify the purchase, so the same message \
may come twice. What is no purchase becomes a dead letter.";

const REPLY: &str = "What became of a message that named `reply_to` and `correlation_id`: accepted \
(stored, now or before), conflict (the reference is taken by another content), or invalid (with the \
field).";

const HINT: &str = "Internal: \"these tasks are to be done\". Losing one costs time, never work; the \
rows in Postgres are the truth.";

/// The document's text.
#[must_use]
pub fn asyncapi() -> String {
    yaml(&document())
}

fn document() -> Value {
    let mut channels = Map::new();
    for queue in Queue::ALL {
        let name = queue.routing_key().unwrap_or("dead");
        channels.insert(name.to_owned(), channel(queue));
    }
    channels.insert(
        "reply".to_owned(),
        json!({
            "address": null,
            "description": "The publisher's own queue, named in `reply_to`: `reply.<user>.<word>`.",
            "messages": { "reply": message("reply") },
            "bindings": {
                "amqp": {
                    "is": "queue",
                    "queue": { "durable": true, "exclusive": false, "autoDelete": false },
                    "bindingVersion": "0.3.0",
                },
            },
        }),
    );
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Purchase Fleet, over AMQP",
            "version": "1.0.0",
            "description": "How other services enqueue purchases, and what the workers tell each other.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "pathname": "/fleet",
                "description": "RabbitMQ 3.10 or newer; the virtual host is `fleet`. TLS as `amqps`.",
                "variables": { "host": { "default": "127.0.0.1:5672" } },
                "security": [{ "$ref": "#/components/securitySchemes/user" }],
            },
        },
        "channels": channels,
        "operations": operations(),
        "components": {
            "messages": {
                "requested": described(
                    "purchase.requested", REQUESTED, "purchase.requested", required_headers(),
                ),
                "reply": described("purchase.requested.reply", REPLY, "purchase.requested.reply", None),
                "hint": described("job hint", HINT, "job-hint", None),
            },
            "securitySchemes": {
                "user": { "type": "userPassword", "description": "A broker user that operators gave." },
            },
        },
    })
}

/// A queue with the key that leads to it.
fn channel(queue: Queue) -> Value {
    let (exchange, kind) = match queue {
        Queue::Dead => (DEAD_EXCHANGE, "fanout"),
        Queue::Requested
        | Queue::Reserve
        | Queue::Settle
        | Queue::Dispense
        | Queue::Deliver
        | Queue::Notify
        | Queue::Report => (EXCHANGE, "topic"),
    };
    let (messages, text) = match queue {
        Queue::Requested => (json!({ "requested": message("requested") }), "Purchases to be made."),
        Queue::Dead => (
            json!({ "requested": message("requested"), "hint": message("hint") }),
            "Internal: messages that could not be taken in, with their cause in the headers.",
        ),
        Queue::Reserve
        | Queue::Settle
        | Queue::Dispense
        | Queue::Deliver
        | Queue::Notify
        | Queue::Report => (json!({ "hint": message("hint") }), "Internal: hints of tasks."),
    };
    json!({
        "address": queue.routing_key().unwrap_or_default(),
        "description": format!("{text} Exchange `{exchange}`, quorum queue `{}`.", queue.name()),
        "messages": messages,
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": { "name": exchange, "type": kind, "durable": true, "autoDelete": false },
                "bindingVersion": "0.3.0",
            },
        },
        "x-queue": { "name": queue.name(), "arguments": { "x-queue-type": "quorum" } },
    })
}

fn operations() -> Value {
    let mut operations = Map::new();
    operations.insert(
        "enqueuePurchase".to_owned(),
        json!({
            "action": "receive",
            "channel": { "$ref": "#/channels/requested" },
            "summary": "Other services enqueue a purchase.",
            "messages": [{ "$ref": "#/channels/requested/messages/requested" }],
            "reply": {
                "address": { "location": "$message.header#/replyTo" },
                "channel": { "$ref": "#/channels/reply" },
                "messages": [{ "$ref": "#/channels/reply/messages/reply" }],
            },
            "bindings": {
                "amqp": { "deliveryMode": 2, "mandatory": true, "ack": true, "bindingVersion": "0.3.0" },
            },
        }),
    );
    for queue in Queue::ALL {
        let Some(key) = queue.routing_key().filter(|key| *key != "requested") else { continue };
        for (action, word) in [("send", "hint"), ("receive", "take")] {
            operations.insert(
                format!("{word}.{key}"),
                json!({
                    "action": action,
                    "channel": { "$ref": format!("#/channels/{key}") },
                    "messages": [{ "$ref": format!("#/channels/{key}/messages/hint") }],
                }),
            );
        }
    }
    Value::Object(operations)
}

fn message(name: &str) -> Value {
    json!({ "$ref": format!("#/components/messages/{name}") })
}

fn described(title: &str, text: &str, file: &str, headers: Option<Value>) -> Value {
    let mut message = json!({
        "title": title,
        "description": text,
        "contentType": "application/json",
        "payload": { "$ref": format!("./messages/{file}/v1.schema.json") },
    });
    if let (Some(fields), Some(headers)) = (message.as_object_mut(), headers) {
        fields.insert("headers".to_owned(), headers);
    }
    message
}

/// AMQP properties, as AsyncAPI has them.
fn required_headers() -> Option<Value> {
    Some(json!({
        "type": "object",
        "required": ["messageId", "userId"],
        "properties": {
            "messageId": { "type": "string", "description": "property `message_id`" },
            "userId": { "type": "string", "description": "property `user_id`: the connection's user" },
            "replyTo": { "type": "string", "description": "property `reply_to`" },
            "correlationId": { "type": "string", "description": "property `correlation_id`" },
        },
    }))
}
