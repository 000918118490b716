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
INSERT INTO "events" VALUES(1,'default/m/refused/1/79000000003','2026-11-30T14:07:53.720+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(2,'default/m/changed/1/79000000002','2026-11-30T14:07:53.721+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(3,'default/m/sent/1/79000000001','2026-11-30T14:07:53.722+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(4,'default/m/unknown/1/79000000004','2026-11-30T14:07:53.722+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(5,'default/m/again/1/79000000002','2026-11-30T14:07:53.736+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(6,'default/m/changed/1/79000000002','2026-11-30T14:07:53.736+00:00','sent','d01223e863a100000001',NULL,NULL,1);
INSERT INTO "events" VALUES(7,'default/m/unknown/1/79000000004','2026-11-30T14:07:53.737+00:00','unknown',NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there',1);
INSERT INTO "events" VALUES(8,'default/m/refused/1/79000000003','2026-11-30T14:07:53.739+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',1);
INSERT INTO "events" VALUES(9,'default/m/sent/1/79000000001','2026-11-30T14:07:53.739+00:00','sent','d01223e863a100000003',NULL,NULL,1);
INSERT INTO "events" VALUES(10,'default/m/again/1/79000000002','2026-11-30T14:07:53.743+00:00','sent','d01223e863a100000004',NULL,NULL,1);
INSERT INTO "events" VALUES(11,'default/m/file/1/79000000001','2026-11-30T14:07:53.753+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(12,'default/m/file/1/79000000001','2026-11-30T14:07:53.759+00:00','sent','d01223e863a100000005',NULL,NULL,1);
INSERT INTO "events" VALUES(13,'default/봄/한/1/79000000001','2026-11-30T14:07:53.759+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(14,'default/봄/한/1/79000000001','2026-11-30T14:07:53.773+00:00','sent','d01223e863a100000006',NULL,NULL,1);
INSERT INTO "events" VALUES(15,'default/m/again/1/79000000002','2026-11-30T14:07:54.642+00:00','sending',NULL,NULL,NULL,2);
INSERT INTO "events" VALUES(16,'default/m/refused/1/79000000003','2026-11-30T14:07:54.643+00:00','sending',NULL,NULL,NULL,2);
INSERT INTO "events" VALUES(17,'default/m/again/1/79000000002','2026-11-30T14:07:54.648+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',2);
INSERT INTO "events" VALUES(18,'default/m/refused/1/79000000003','2026-11-30T14:07:54.678+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',2);
INSERT INTO "events" VALUES(19,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:07:55.506+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(20,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:07:55.507+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(21,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:07:55.511+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',1);
INSERT INTO "events" VALUES(22,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:07:55.514+00:00','sent','d01223e863a100000007',NULL,NULL,1);
INSERT INTO "events" VALUES(23,'default/m/again/1/79000000002','2026-11-30T14:07:56.442+00:00','sending',NULL,NULL,NULL,3);
INSERT INTO "events" VALUES(24,'default/m/refused/1/79000000003','2026-11-30T14:07:56.443+00:00','sending',NULL,NULL,NULL,3);
INSERT INTO "events" VALUES(25,'default/m/sending/1/79000000005','2026-11-30T14:07:56.443+00:00','sending',NULL,NULL,NULL,1);
INSERT INTO "events" VALUES(26,'default/m/again/1/79000000002','2026-11-30T14:07:56.472+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',3);
INSERT INTO "events" VALUES(27,'default/m/refused/1/79000000003','2026-11-30T14:07:56.472+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден',3);
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
INSERT INTO "messages" VALUES('default/m/refused/1/79000000003','default','m','refused','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',3,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:07:56.472+00:00',NULL,'56cd4ddd9fa34aae837d7ed7f472ee98',NULL);
INSERT INTO "messages" VALUES('default/m/changed/1/79000000002','default','m','changed','79000000002','greenapi','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1','sent',1,'d01223e863a100000001',NULL,NULL,'2026-11-30T14:07:53.736+00:00',NULL,'8a995a217b8e4695aa53d9f88d4977e7',NULL);
INSERT INTO "messages" VALUES('default/m/sent/1/79000000001','default','m','sent','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'d01223e863a100000003',NULL,NULL,'2026-11-30T14:07:53.739+00:00',NULL,'8a995a217b8e4695aa53d9f88d4977e7',NULL);
INSERT INTO "messages" VALUES('default/m/unknown/1/79000000004','default','m','unknown','79000000004','greenapi','e9a502455a98561d2362a083abb373ddd1c697d8301dee1659dc1484b268711d','unknown',1,NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there','2026-11-30T14:07:53.737+00:00',NULL,'8a995a217b8e4695aa53d9f88d4977e7',NULL);
INSERT INTO "messages" VALUES('default/m/again/1/79000000002','default','m','again','79000000002','greenapi','c34f5cf8848a8022f94ce7f33b5726302110ac269389812ec8ea8693b0421620','failed',3,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:07:56.472+00:00',NULL,'56cd4ddd9fa34aae837d7ed7f472ee98','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1');
INSERT INTO "messages" VALUES('default/m/file/1/79000000001','default','m','file','79000000001','greenapi','2ac2b1296eb817a9f9d9aac6ca02fa84d94a301d8a5eff2899c1fd147e70ebea','sent',1,'d01223e863a100000005',NULL,NULL,'2026-11-30T14:07:53.759+00:00',NULL,'8a995a217b8e4695aa53d9f88d4977e7',NULL);
INSERT INTO "messages" VALUES('default/봄/한/1/79000000001','default','봄','한','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'d01223e863a100000006',NULL,NULL,'2026-11-30T14:07:53.773+00:00',NULL,'8a995a217b8e4695aa53d9f88d4977e7',NULL);
INSERT INTO "messages" VALUES('2026-11-01/digest/weather/1/79000000003','2026-11-01','digest','weather','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',1,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:07:55.511+00:00',NULL,'849606c4a5ff4a6fbff03725dfb5047a',NULL);
INSERT INTO "messages" VALUES('2026-11-01/digest/news/1/79000000001','2026-11-01','digest','news','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'d01223e863a100000007',NULL,NULL,'2026-11-30T14:07:55.514+00:00',NULL,'849606c4a5ff4a6fbff03725dfb5047a',NULL);
INSERT INTO "messages" VALUES('default/m/sending/1/79000000005','default','m','sending','79000000005','greenapi','ea3634ae81dd01ec53d0dd4af29a8bf1d9893f7cc62d23511f2f7ba441afc3c6','sending',1,NULL,NULL,NULL,'2026-11-30T14:07:56.443+00:00',NULL,'56cd4ddd9fa34aae837d7ed7f472ee98',NULL);
CREATE TABLE places (
	manifest TEXT NOT NULL, 
	path TEXT NOT NULL, 
	PRIMARY KEY (manifest, path)
);
INSERT INTO "places" VALUES('m','manifests/m.toml');
INSERT INTO "places" VALUES('봄','manifests/봄.toml');
INSERT INTO "places" VALUES('digest','manifests/digest.toml');
CREATE TABLE uploads (
	account TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	media_id TEXT NOT NULL, 
	expires_at TEXT NOT NULL, 
	PRIMARY KEY (account, sha256)
);
INSERT INTO "uploads" VALUES('greenapi:c3f93eacb7ebaff62a52a20243347cb53ef47587172d1f233b39dc1ea2efa84c','54e95a7113256c5606ba2937d3a5245a8e503254e192b774eeabfacf1837fd6f','e4b74cd7-28e0-4006-a9b5-14342fe3c460','2026-12-01T14:07:53.743563+00:00');
CREATE TABLE workers (
	owner TEXT NOT NULL, 
	run TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at TEXT NOT NULL, 
	lease FLOAT NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO "workers" VALUES('56cd4ddd9fa34aae837d7ed7f472ee98','default','example',1000,'2026-11-30T14:07:56.374+00:00',1.79604773637460923187e+09);
CREATE INDEX ix_events_key ON events ("key");
CREATE INDEX messages_sending ON messages (owner) WHERE status = 'sending';
CREATE TRIGGER message_made AFTER INSERT ON messages BEGIN 
    INSERT INTO events (key, at, status, receipt, error_code, error_text, attempt)
    VALUES (NEW.key, NEW.changed_at, NEW.status,
            NEW.receipt, NEW.error_code, NEW.error_text, NEW.attempts); END;
CREATE TRIGGER message_changed AFTER UPDATE OF status ON messages BEGIN 
    INSERT INTO events (key, at, status, receipt, error_code, error_text, attempt)
    VALUES (NEW.key, NEW.changed_at, NEW.status,
            NEW.receipt, NEW.error_code, NEW.error_text, NEW.attempts); END;
COMMIT;
PRAGMA user_version = 4;
