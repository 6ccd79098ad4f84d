-- SPDX-License-Identifier: GPL-2.0-or-later
-- 0002: addresses of both families, as text.

CREATE TABLE endpoint_both (
	id TEXT NOT NULL PRIMARY KEY,
	network_id TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
	container_id TEXT NOT NULL,
	phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 3),
	attached INTEGER NOT NULL CHECK (attached IN (0, 1)),
	addr4 TEXT,
	addr6 TEXT,
	spec_json TEXT NOT NULL,
	UNIQUE (network_id, container_id)
) STRICT;
INSERT INTO endpoint_both
	SELECT id, network_id, container_id, phase, attached,
		CASE addr WHEN 0 THEN NULL ELSE printf('%d.%d.%d.%d', addr >> 24, (addr >> 16) & 255,
			(addr >> 8) & 255, addr & 255) END,
		NULL, spec_json
	FROM endpoint ORDER BY rowid;
DROP TABLE endpoint;
ALTER TABLE endpoint_both RENAME TO endpoint;
CREATE UNIQUE INDEX endpoint_addr4 ON endpoint (network_id, addr4);
CREATE UNIQUE INDEX endpoint_addr6 ON endpoint (network_id, addr6);

CREATE TABLE port_both (
	container_id TEXT NOT NULL,
	proto INTEGER NOT NULL CHECK (proto BETWEEN 0 AND 255),
	host_ip TEXT NOT NULL,
	host_port INTEGER NOT NULL CHECK (host_port BETWEEN 1 AND 65535),
	host_port_end INTEGER NOT NULL CHECK (host_port_end BETWEEN host_port AND 65535),
	port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
	PRIMARY KEY (proto, host_ip, host_port)
) STRICT;
INSERT INTO port_both
	SELECT container_id, proto, printf('%d.%d.%d.%d', host_ip >> 24, (host_ip >> 16) & 255,
		(host_ip >> 8) & 255, host_ip & 255), host_port, host_port_end, port
	FROM port ORDER BY rowid;
DROP TABLE port;
ALTER TABLE port_both RENAME TO port;
CREATE INDEX port_container ON port (container_id);

ALTER TABLE network DROP COLUMN subnet;
