/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.h - a container's ports as ps shows them. Pure. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* The API's list of {IP, PrivatePort, PublicPort, Type} as "0.0.0.0:8080->80/tcp, 90-92/tcp":
 * ordered, neighbours joined to ranges. */
void ports_text(struct buf *out, const json_t *list);
