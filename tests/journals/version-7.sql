BEGIN TRANSACTION;
CREATE TABLE events (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	at TEXT NOT NULL, 
	status TEXT NOT NULL, 
	receipt TEXT, 
	error_code TEXT, 
	error_text TEXT, 
	attempt INTEGER, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,'default/m/sent/1/79000000001','2026-11-30T14:35:00.072+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(2,'default/m/changed/1/79000000002','2026-11-30T14:35:00.075+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(3,'default/m/refused/1/79000000003','2026-11-30T14:35:00.075+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(4,'default/m/unknown/1/79000000004','2026-11-30T14:35:00.075+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(5,'default/m/refused/1/79000000003','2026-11-30T14:35:00.085+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',1);
INSERT INTO "events" VALUES(6,'default/m/sent/1/79000000001','2026-11-30T14:35:00.085+00:00','sent','26ece7c974b600000001',NULL,NULL,1);
INSERT INTO "events" VALUES(7,'default/m/unknown/1/79000000004','2026-11-30T14:35:00.085+00:00','unknown',NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there',1);
INSERT INTO "events" VALUES(8,'default/m/again/1/79000000002','2026-11-30T14:35:00.095+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(9,'default/m/changed/1/79000000002','2026-11-30T14:35:00.095+00:00','sent','26ece7c974b600000002',NULL,NULL,1);
INSERT INTO "events" VALUES(10,'default/m/again/1/79000000002','2026-11-30T14:35:00.128+00:00','sent','26ece7c974b600000004',NULL,NULL,1);
INSERT INTO "events" VALUES(11,'default/m/file/1/79000000001','2026-11-30T14:35:00.145+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(12,'default/m/file/1/79000000001','2026-11-30T14:35:00.156+00:00','sent','26ece7c974b600000005',NULL,NULL,1);
INSERT INTO "events" VALUES(13,'default/봄/한/1/79000000001','2026-11-30T14:35:00.156+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(14,'default/봄/한/1/79000000001','2026-11-30T14:35:00.163+00:00','sent','26ece7c974b600000006',NULL,NULL,1);
INSERT INTO "events" VALUES(15,'default/m/again/1/79000000002','2026-11-30T14:35:01.535+00:00','sending',NULL,NULL,NULL,2);
INSERT INTO "events" VALUES(16,'default/m/refused/1/79000000003','2026-11-30T14:35:01.563+00:00','sending',NULL,NULL,NULL,2);
INSERT INTO "events" VALUES(17,'default/m/again/1/79000000002','2026-11-30T14:35:01.590+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',2);
INSERT INTO "events" VALUES(18,'default/m/refused/1/79000000003','2026-11-30T14:35:01.597+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',2);
INSERT INTO "events" VALUES(19,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:35:03.052+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(20,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:35:03.055+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(21,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:35:03.081+00:00','sent','26ece7c974b600000007',NULL,NULL,1);
INSERT INTO "events" VALUES(22,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:35:03.081+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',1);
INSERT INTO "events" VALUES(23,'default/m/refused/1/79000000003','2026-11-30T14:35:04.758+00:00','sending',NULL,NULL,NULL,3);
INSERT INTO "events" VALUES(24,'default/m/again/1/79000000002','2026-11-30T14:35:04.766+00:00','sending',NULL,NULL,NULL,3);
INSERT INTO "events" VALUES(25,'default/m/sending/1/79000000005','2026-11-30T14:35:04.767+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(26,'default/m/again/1/79000000002','2026-11-30T14:35:04.791+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',3);
INSERT INTO "events" VALUES(27,'default/m/refused/1/79000000003','2026-11-30T14:35:04.791+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',3);
CREATE TABLE leases (
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	until FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE messages (
	"key" TEXT NOT NULL, 
	run TEXT NOT NULL, 
	manifest TEXT NOT NULL, 
	message TEXT NOT NULL, 
	recipient TEXT NOT NULL, 
	transport TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	status TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	receipt TEXT, 
	error_code TEXT, 
	error_text TEXT, 
	changed_at TEXT NOT NULL, 
	not_before TEXT, 
	owner TEXT, 
	sent_digest TEXT, 
	PRIMARY KEY ("key")
);
INSERT INTO "messages" VALUES('default/m/sent/1/79000000001','default','m','sent','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'26ece7c974b600000001',NULL,NULL,'2026-11-30T14:35:00.085+00:00',NULL,'51f435546b7c4e1da8e813784c6791f8',NULL);
INSERT INTO "messages" VALUES('default/m/changed/1/79000000002','default','m','changed','79000000002','greenapi','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1','sent',1,'26ece7c974b600000002',NULL,NULL,'2026-11-30T14:35:00.095+00:00',NULL,'51f435546b7c4e1da8e813784c6791f8',NULL);
INSERT INTO "messages" VALUES('default/m/refused/1/79000000003','default','m','refused','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',3,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:35:04.791+00:00',NULL,'da535a1fd6b249a4aab588b74b475050',NULL);
INSERT INTO "messages" VALUES('default/m/unknown/1/79000000004','default','m','unknown','79000000004','greenapi','e9a502455a98561d2362a083abb373ddd1c697d8301dee1659dc1484b268711d','unknown',1,NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there','2026-11-30T14:35:00.085+00:00',NULL,'51f435546b7c4e1da8e813784c6791f8',NULL);
INSERT INTO "messages" VALUES('default/m/again/1/79000000002','default','m','again','79000000002','greenapi','c34f5cf8848a8022f94ce7f33b5726302110ac269389812ec8ea8693b0421620','failed',3,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:35:04.791+00:00',NULL,'da535a1fd6b249a4aab588b74b475050','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1');
INSERT INTO "messages" VALUES('default/m/file/1/79000000001','default','m','file','79000000001','greenapi','2ac2b1296eb817a9f9d9aac6ca02fa84d94a301d8a5eff2899c1fd147e70ebea','sent',1,'26ece7c974b600000005',NULL,NULL,'2026-11-30T14:35:00.156+00:00',NULL,'51f435546b7c4e1da8e813784c6791f8',NULL);
INSERT INTO "messages" VALUES('default/봄/한/1/79000000001','default','봄','한','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'26ece7c974b600000006',NULL,NULL,'2026-11-30T14:35:00.163+00:00',NULL,'51f435546b7c4e1da8e813784c6791f8',NULL);
INSERT INTO "messages" VALUES('2026-11-01/digest/weather/1/79000000003','2026-11-01','digest','weather','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',1,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:35:03.081+00:00',NULL,'c387902d55574b888bc30d0cc22d24ca',NULL);
INSERT INTO "messages" VALUES('2026-11-01/digest/news/1/79000000001','2026-11-01','digest','news','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'26ece7c974b600000007',NULL,NULL,'2026-11-30T14:35:03.081+00:00',NULL,'c387902d55574b888bc30d0cc22d24ca',NULL);
INSERT INTO "messages" VALUES('default/m/sending/1/79000000005','default','m','sending','79000000005','greenapi','ea3634ae81dd01ec53d0dd4af29a8bf1d9893f7cc62d23511f2f7ba441afc3c6','sending',1,NULL,NULL,NULL,'2026-11-30T14:35:04.767+00:00',NULL,'da535a1fd6b249a4aab588b74b475050',NULL);
CREATE TABLE origin (
	id INTEGER NOT NULL, 
	journal TEXT NOT NULL, 
	server TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "origin" VALUES(1,'1aba747b1332c57413ef711e287f0882','');
CREATE TABLE pauses (
	"key" TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	until BIGINT NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE places (
	manifest TEXT NOT NULL, 
	path TEXT NOT NULL, 
	PRIMARY KEY (manifest, path)
);
INSERT INTO "places" VALUES('m','manifests/m.toml');
INSERT INTO "places" VALUES('봄','manifests/봄.toml');
INSERT INTO "places" VALUES('digest','manifests/digest.toml');
CREATE TABLE turns (
	"key" TEXT NOT NULL, 
	state BIGINT NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE uploads (
	account TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	media_id TEXT NOT NULL, 
	expires_at TEXT NOT NULL, 
	PRIMARY KEY (account, sha256)
);
INSERT INTO "uploads" VALUES('greenapi:6be9cf5bd269d883f2d50826a8034636d1b2fb3869b2a1d35b1ab1517d6a5b43','54e95a7113256c5606ba2937d3a5245a8e503254e192b774eeabfacf1837fd6f','29dda261-6da6-4512-b99b-de84ea88a462','2026-12-01T14:35:00.094474+00:00');
CREATE TABLE workers (
	owner TEXT NOT NULL, 
	run TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at TEXT NOT NULL, 
	lease FLOAT NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO "workers" VALUES('da535a1fd6b249a4aab588b74b475050','default','example',1000,'2026-11-30T14:35:04.727+00:00',1.79604936472718048094e+09);
CREATE INDEX ix_events_key ON events ("key");
CREATE INDEX messages_sending ON messages (owner) WHERE status = 'sending';
CREATE INDEX messages_digest ON messages (substr(digest, 1, 16));
CREATE INDEX messages_sent_digest ON messages (substr(sent_digest, 1, 16)) WHERE sent_digest IS NOT NULL;
CREATE INDEX messages_foreign ON messages (key) WHERE status NOT IN ('sending', 'sent', 'failed', 'unknown') OR attempts < 1 OR attempts >= 2147483647 OR changed_at NOT LIKE '____-__-_____:__:__%' OR not_before NOT LIKE '____-__-_____:__:__%';
CREATE TRIGGER message_made AFTER INSERT ON messages BEGIN 
    INSERT INTO events (key, at, status, receipt, error_code, error_text, attempt)
    VALUES (NEW.key, NEW.changed_at, NEW.status,
            NEW.receipt, NEW.error_code, NEW.error_text, NEW.attempts); END;
CREATE TRIGGER message_changed AFTER UPDATE OF status ON messages BEGIN 
    INSERT INTO events (key, at, status, receipt, error_code, error_text, attempt)
    VALUES (NEW.key, NEW.changed_at, NEW.status,
            NEW.receipt, NEW.error_code, NEW.error_text, NEW.attempts); END;
COMMIT;
PRAGMA user_version = 7;
