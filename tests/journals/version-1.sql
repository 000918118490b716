BEGIN TRANSACTION;
CREATE TABLE events (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	at TEXT NOT NULL, 
	status TEXT NOT NULL, 
	receipt TEXT, 
	error_code TEXT, 
	error_text TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,'default/m/sent/1/79000000001','2026-11-30T14:07:43.102+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(2,'default/m/refused/1/79000000003','2026-11-30T14:07:43.107+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(3,'default/m/changed/1/79000000002','2026-11-30T14:07:43.110+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(4,'default/m/unknown/1/79000000004','2026-11-30T14:07:43.114+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(5,'default/m/unknown/1/79000000004','2026-11-30T14:07:43.149+00:00','unknown',NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there');
INSERT INTO "events" VALUES(6,'default/m/changed/1/79000000002','2026-11-30T14:07:43.155+00:00','sent','4855906ddd5000000002',NULL,NULL);
INSERT INTO "events" VALUES(7,'default/m/sent/1/79000000001','2026-11-30T14:07:43.159+00:00','sent','4855906ddd5000000003',NULL,NULL);
INSERT INTO "events" VALUES(8,'default/m/refused/1/79000000003','2026-11-30T14:07:43.161+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден');
INSERT INTO "events" VALUES(9,'default/m/file/1/79000000001','2026-11-30T14:07:43.176+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(10,'default/m/file/1/79000000001','2026-11-30T14:07:43.182+00:00','sent','4855906ddd5000000004',NULL,NULL);
INSERT INTO "events" VALUES(11,'default/봄/한/1/79000000001','2026-11-30T14:07:43.186+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(12,'default/봄/한/1/79000000001','2026-11-30T14:07:43.188+00:00','sent','4855906ddd5000000005',NULL,NULL);
INSERT INTO "events" VALUES(13,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:07:43.697+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(14,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:07:43.703+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(15,'2026-11-01/digest/news/1/79000000001','2026-11-30T14:07:43.748+00:00','sent','4855906ddd5000000006',NULL,NULL);
INSERT INTO "events" VALUES(16,'2026-11-01/digest/weather/1/79000000003','2026-11-30T14:07:43.754+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден');
INSERT INTO "events" VALUES(17,'default/m/refused/1/79000000003','2026-11-30T14:07:44.338+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(18,'default/m/sending/1/79000000005','2026-11-30T14:07:44.348+00:00','sending',NULL,NULL,NULL);
INSERT INTO "events" VALUES(19,'default/m/refused/1/79000000003','2026-11-30T14:07:44.419+00:00','failed',NULL,'1022','Subscriber was not found / Подписчик не найден');
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
	PRIMARY KEY ("key")
);
INSERT INTO "messages" VALUES('default/m/sent/1/79000000001','default','m','sent','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'4855906ddd5000000003',NULL,NULL,'2026-11-30T14:07:43.159+00:00');
INSERT INTO "messages" VALUES('default/m/refused/1/79000000003','default','m','refused','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',2,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:07:44.419+00:00');
INSERT INTO "messages" VALUES('default/m/changed/1/79000000002','default','m','changed','79000000002','greenapi','5a327784312320704322b3cd579842dbe1f5726acc54a1dafbfff59a45e332a1','sent',1,'4855906ddd5000000002',NULL,NULL,'2026-11-30T14:07:43.154+00:00');
INSERT INTO "messages" VALUES('default/m/unknown/1/79000000004','default','m','unknown','79000000004','greenapi','e9a502455a98561d2362a083abb373ddd1c697d8301dee1659dc1484b268711d','unknown',1,NULL,'connection_lost','the connection to 127.0.0.1:8080 broke before the whole answer was there','2026-11-30T14:07:43.148+00:00');
INSERT INTO "messages" VALUES('default/m/file/1/79000000001','default','m','file','79000000001','greenapi','2ac2b1296eb817a9f9d9aac6ca02fa84d94a301d8a5eff2899c1fd147e70ebea','sent',1,'4855906ddd5000000004',NULL,NULL,'2026-11-30T14:07:43.182+00:00');
INSERT INTO "messages" VALUES('default/봄/한/1/79000000001','default','봄','한','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'4855906ddd5000000005',NULL,NULL,'2026-11-30T14:07:43.188+00:00');
INSERT INTO "messages" VALUES('2026-11-01/digest/news/1/79000000001','2026-11-01','digest','news','79000000001','greenapi','05b3bdafe6dc9401188ae97f9f1114e79dbe81169261932e6153d22058a8e703','sent',1,'4855906ddd5000000006',NULL,NULL,'2026-11-30T14:07:43.746+00:00');
INSERT INTO "messages" VALUES('2026-11-01/digest/weather/1/79000000003','2026-11-01','digest','weather','79000000003','greenapi','7338fca273d3bd2525cb5be831a670c3e43749b32d111201f892386a98a9be52','failed',1,NULL,'1022','Subscriber was not found / Подписчик не найден','2026-11-30T14:07:43.754+00:00');
INSERT INTO "messages" VALUES('default/m/sending/1/79000000005','default','m','sending','79000000005','greenapi','ea3634ae81dd01ec53d0dd4af29a8bf1d9893f7cc62d23511f2f7ba441afc3c6','sending',1,NULL,NULL,NULL,'2026-11-30T14:07:44.340+00:00');
CREATE TABLE uploads (
	account TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	media_id TEXT NOT NULL, 
	expires_at TEXT NOT NULL, 
	PRIMARY KEY (account, sha256)
);
INSERT INTO "uploads" VALUES('greenapi:444a03c3586a8eb89bda16eef50d23480bb18e603703727ad485807d19e13840','a1a1cafd96bbdc43ea9e3a856104fc3a836e84781c8fd66e22fcbc97c2ca2f14','f5b1cece-98c2-40ac-a16b-1f9bc309e2a4','2026-12-01T14:07:43.163800+00:00');
CREATE INDEX ix_events_key ON events ("key");
COMMIT;
PRAGMA user_version = 1;
