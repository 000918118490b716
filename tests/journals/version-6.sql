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
INSERT INTO "events" VALUES(1,'default/m/changed/1/79000000002','2026-11-30T14:08:02.603+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(2,'default/m/refused/1/79000000003','2026-11-30T14:08:02.605+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(3,'default/m/sent/1/79000000001','2026-11-30T14:08:02.605+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(4,'default/m/unknown/1/79000000004','2026-11-30T14:08:02.605+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(5,'default/m/again/1/79000000002','2026-11-30T14:08:02.614+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(6,'default/m/changed/1/79000000002','2026-11-30T14:08:02.615+00:00','sent','16bae73a270e00000001',NULL,NULL,1);
INSERT INTO "events" VALUES(7,'default/m/refused/1/79000000003','2026-11-30T14:08:02.615+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',1);
INSERT INTO "events" VALUES(8,'default/m/sent/1/79000000001','2026-11-30T14:08:02.615+00:00','sent','16bae73a270e00000002',NULL,NULL,1);
INSERT INTO "events" VALUES(9,'default/m/unknown/1/79000000004','2026-11-30T14:08:02.615+00:00','unknown',NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there',1);
INSERT INTO "events" VALUES(10,'default/m/again/1/79000000002','2026-11-30T14:08:02.623+00:00','sent','16bae73a270e00000004',NULL,NULL,1);
INSERT INTO "events" VALUES(11,'default/m/file/1/79000000001','2026-11-30T14:08:02.625+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(12,'default/m/file/1/79000000001','2026-11-30T14:08:02.642+00:00','sent','16bae73a270e00000005',NULL,NULL,1);
INSERT INTO "events" VALUES(13,'default/봄/한/1/79000000001','2026-11-30T14:08:02.643+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(14,'default/봄/한/1/79000000001','2026-11-30T14:08:02.645+00:00','sent','16bae73a270e00000006',NULL,NULL,1);
INSERT INTO "events" VALUES(15,'default/m/refused/1/79000000003','2026-11-30T14:08:03.596+00:00','sending',NULL,NULL,NULL,2);
INSERT INTO "events" VALUES(16,'default/m/again/1/79000000002','2026-11-30T14:08:03.662+00:00','sending',NULL,NULL,NULL,2);
INSERT INTO "events" VALUES(17,'default/m/again/1/79000000002','2026-11-30T14:08:03.673+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',2);
INSERT INTO "events" VALUES(18,'default/m/refused/1/79000000003','2026-11-30T14:08:03.673+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',2);
INSERT INTO "events" VALUES(19,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:08:04.568+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(20,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:08:04.571+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(21,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:08:04.579+00:00','sent','16bae73a270e00000007',NULL,NULL,1);
INSERT INTO "events" VALUES(22,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:08:04.579+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',1);
INSERT INTO "events" VALUES(23,'default/m/refused/1/79000000003','2026-11-30T14:08:05.358+00:00','sending',NULL,NULL,NULL,3);
INSERT INTO "events" VALUES(24,'default/m/again/1/79000000002','2026-11-30T14:08:05.366+00:00','sending',NULL,NULL,NULL,3);
INSERT INTO "events" VALUES(25,'default/m/refused/1/79000000003','2026-11-30T14:08:05.371+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',3);
INSERT INTO "events" VALUES(26,'default/m/sending/1/79000000005','2026-11-30T14:08:05.371+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(27,'default/m/again/1/79000000002','2026-11-30T14:08:05.392+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',3);
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
INSERT INTO "messages" VALUES('default/m/changed/1/79000000002','default','m','changed','79000000002','greenapi','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1','sent',1,'16bae73a270e00000001',NULL,NULL,'2026-11-30T14:08:02.615+00:00',NULL,'ab7ca79155a84ab1955ab008e53aef9b',NULL);
INSERT INTO "messages" VALUES('default/m/refused/1/79000000003','default','m','refused','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',3,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:08:05.371+00:00',NULL,'d28d439b2b2b43dbbbe419b24c0268fd',NULL);
INSERT INTO "messages" VALUES('default/m/sent/1/79000000001','default','m','sent','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'16bae73a270e00000002',NULL,NULL,'2026-11-30T14:08:02.615+00:00',NULL,'ab7ca79155a84ab1955ab008e53aef9b',NULL);
INSERT INTO "messages" VALUES('default/m/unknown/1/79000000004','default','m','unknown','79000000004','greenapi','e9a502455a98561d2362a083abb373ddd1c697d8301dee1659dc1484b268711d','unknown',1,NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there','2026-11-30T14:08:02.615+00:00',NULL,'ab7ca79155a84ab1955ab008e53aef9b',NULL);
INSERT INTO "messages" VALUES('default/m/again/1/79000000002','default','m','again','79000000002','greenapi','c34f5cf8848a8022f94ce7f33b5726302110ac269389812ec8ea8693b0421620','failed',3,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:08:05.392+00:00',NULL,'d28d439b2b2b43dbbbe419b24c0268fd','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1');
INSERT INTO "messages" VALUES('default/m/file/1/79000000001','default','m','file','79000000001','greenapi','2ac2b1296eb817a9f9d9aac6ca02fa84d94a301d8a5eff2899c1fd147e70ebea','sent',1,'16bae73a270e00000005',NULL,NULL,'2026-11-30T14:08:02.642+00:00',NULL,'ab7ca79155a84ab1955ab008e53aef9b',NULL);
INSERT INTO "messages" VALUES('default/봄/한/1/79000000001','default','봄','한','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'16bae73a270e00000006',NULL,NULL,'2026-11-30T14:08:02.645+00:00',NULL,'ab7ca79155a84ab1955ab008e53aef9b',NULL);
INSERT INTO "messages" VALUES('2026-11-01/digest/weather/1/79000000003','2026-11-01','digest','weather','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',1,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:08:04.579+00:00',NULL,'320cbaa0f77143c1b3a613106eb1f6e3',NULL);
INSERT INTO "messages" VALUES('2026-11-01/digest/news/1/79000000001','2026-11-01','digest','news','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'16bae73a270e00000007',NULL,NULL,'2026-11-30T14:08:04.579+00:00',NULL,'320cbaa0f77143c1b3a613106eb1f6e3',NULL);
INSERT INTO "messages" VALUES('default/m/sending/1/79000000005','default','m','sending','79000000005','greenapi','ea3634ae81dd01ec53d0dd4af29a8bf1d9893f7cc62d23511f2f7ba441afc3c6','sending',1,NULL,NULL,NULL,'2026-11-30T14:08:05.371+00:00',NULL,'d28d439b2b2b43dbbbe419b24c0268fd',NULL);
CREATE TABLE origin (
	id INTEGER NOT NULL, 
	journal TEXT NOT NULL, 
	server TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "origin" VALUES(1,'de0467a0123eddae3a27fd56348f7ff2','');
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
INSERT INTO "uploads" VALUES('greenapi:82b378239cbb9643ca88bfbf3ec7f2b51703e5d3f4dad5c6158da9288994707f','54e95a7113256c5606ba2937d3a5245a8e503254e192b774eeabfacf1837fd6f','d475fb06-2d15-45ca-bb1c-b6307b071df0','2026-12-01T14:08:02.617756+00:00');
CREATE TABLE workers (
	owner TEXT NOT NULL, 
	run TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at TEXT NOT NULL, 
	lease FLOAT NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO "workers" VALUES('d28d439b2b2b43dbbbe419b24c0268fd','default','example',1000,'2026-11-30T14:08:05.313+00:00',1.79604774531316232688e+09);
CREATE INDEX ix_events_key ON events ("key");
CREATE INDEX messages_sending ON messages (owner) WHERE status = 'sending';
CREATE INDEX messages_digest ON messages (digest);
CREATE INDEX messages_sent_digest ON messages (sent_digest) WHERE sent_digest IS NOT NULL;
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
PRAGMA user_version = 6;
