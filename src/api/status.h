/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.h - a container's state in the words of ps; pure */
#pragma once

#include "base/buf.h"
#include "engine/life.h"

/* "3 minutes", "About an hour": Docker's words for a duration (docker/go-units HumanDuration) */
void status_duration(int64_t ns, struct buf *out);
/* "Up 3 seconds (healthy)", "Exited (0) 2 minutes ago", "Created", ... */
void status_text(const struct container_state *st, enum health_status health, int64_t now_ns,
		 struct buf *out);
