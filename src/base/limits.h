/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limits.h - every limit on what a user or a stranger may make us hold, with its reason */
#pragma once

#define LIMIT_JSON_BODY                                                                            \
	(4u << 20) /* the largest sane create body (labels, env) is far below 1 MiB */
#define LIMIT_JSON_REPLY                                                                           \
	(256u << 20)		      /* lists of thousands of containers; a bound, not a target   \
				       */
#define LIMIT_HEADER_MEM  (64u << 10) /* MHD pool per connection: 30 KB of registry auth fits */
#define LIMIT_CONNECTIONS 1000	      /* below RLIMIT_NOFILE; refused with 503 beyond */
#define LIMIT_STREAM_QUEUE                                                                         \
	(256u << 10) /* queued bytes of one slow stream reader before we pause its source */
#define LIMIT_UPLOAD_SWALLOW                                                                       \
	(16u << 20)	       /* bytes of a failed upload read before we answer anyway            \
				*/
#define LIMIT_NAME	   255 /* container, network, volume names */
#define LIMIT_LABELS_BYTES (1u << 20)
#define LIMIT_MANIFEST	   (4u << 20)	 /* OCI distribution: registries cap manifests at 4 MiB */
#define LIMIT_LAYERS	   127		 /* Docker's limit of overlay layers */
#define LIMIT_LAYER_BYTES  (64ull << 30) /* unpacked bytes of one layer: a bomb stops here */
#define LIMIT_LAYER_FILES  2000000	 /* entries of one layer */
#define LIMIT_BOMB_RATIO   1000		 /* unpacked : packed, beyond the first 64 MiB */
#define LIMIT_DNS_NAME	   255		 /* RFC 1035, 2.3.4 */
#define LIMIT_DNS_INFLIGHT 1024		 /* per container, as Docker */
#define LIMIT_LOG_LINE	   (1u << 20)
