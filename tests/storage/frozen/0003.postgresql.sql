CREATE TABLE public.api_keys (
    id character varying NOT NULL,
    project character varying(64),
    created_at double precision NOT NULL,
    revoked_at double precision,
    document text NOT NULL
);
CREATE TABLE public.audit (
    id bigint NOT NULL,
    project character varying(64),
    document text NOT NULL
);
CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;
CREATE TABLE public.blocksmith_schema_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.bounds (
    search character varying NOT NULL,
    version integer NOT NULL,
    document text NOT NULL,
    by character varying NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.devices (
    observer character varying NOT NULL,
    name character varying(64) NOT NULL,
    seen_at double precision NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.evaluations (
    key character varying NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.events (
    search character varying NOT NULL,
    id integer NOT NULL,
    kind character varying NOT NULL,
    payload text NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.exports (
    id character varying NOT NULL,
    search character varying NOT NULL,
    project character varying(64) NOT NULL,
    status character varying(16) NOT NULL,
    artifact character varying(64) NOT NULL,
    size_bytes bigint NOT NULL,
    created_at double precision NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.idempotency (
    project character varying(64) NOT NULL,
    key character varying NOT NULL,
    request character varying(64) NOT NULL,
    subject character varying NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.latencies (
    key character varying NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.leases (
    name character varying NOT NULL,
    holder character varying,
    token integer NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.library_entries (
    key character varying NOT NULL,
    document text NOT NULL,
    weights character varying(64) NOT NULL,
    size_bytes bigint NOT NULL
);
CREATE TABLE public.library_uses (
    search character varying NOT NULL,
    key character varying NOT NULL
);
CREATE TABLE public.processes (
    id character varying NOT NULL,
    beat_at double precision NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.projects (
    id character varying(64) NOT NULL,
    created_at double precision NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.searches (
    id character varying NOT NULL,
    created_at double precision NOT NULL,
    status character varying(16) NOT NULL,
    intent character varying(16) NOT NULL,
    last_event integer NOT NULL,
    document text NOT NULL,
    project character varying(64) NOT NULL,
    kind character varying(16) NOT NULL,
    name character varying(128) NOT NULL,
    budget integer NOT NULL,
    library character varying(64) NOT NULL,
    deleted_at double precision
);
CREATE TABLE public.trial_logs (
    search character varying NOT NULL,
    number integer NOT NULL,
    attempt integer NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.trials (
    search character varying NOT NULL,
    number integer NOT NULL,
    architecture character varying(64) NOT NULL,
    status character varying(16) NOT NULL,
    document text NOT NULL,
    changed integer NOT NULL,
    point text NOT NULL
);
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
INSERT INTO public.blocksmith_schema_version VALUES ('0003');
INSERT INTO public.bounds VALUES ('alpha', 0, '{"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1,"grid":[]}]}', '', 1750000000.25);
INSERT INTO public.bounds VALUES ('alpha', 1, '{"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.30000000000000004,"grid":[]}]}', '', 1750000000.25);
INSERT INTO public.bounds VALUES ('done', 0, '{"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1,"grid":[]}]}', '', 1750000100.5);
INSERT INTO public.evaluations VALUES ('evaluation key', '{ "odd":1.0,  "text": "ε" }');
INSERT INTO public.events VALUES ('alpha', 1, 'search', '{"facts":{"number":0}}', 0.25);
INSERT INTO public.events VALUES ('alpha', 2, 'trial', '{"facts":{"number":1}}', 1.25);
INSERT INTO public.events VALUES ('alpha', 3, 'trial', '{"facts":{"number":2}}', 2.25);
INSERT INTO public.latencies VALUES ('latency key', '{"kind":"latency","subject":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","device":{"name":"host","backend":"onnxruntime","runtime":"onnxruntime 1.31","kind":"measured","labels":{}},"protocol":{"warmup":3,"repeats":15,"seconds":0.2,"batch":1,"threads":1,"precision":"fp32","canary":true,"timeout_s":300.0},"samples_ms":[1.0,2.0,3.0],"median_ms":2.0,"p90_ms":3.0,"interval_ms":[1.0,3.0],"canary_ms":[],"relative":null,"fallbacks":0,"seconds":0.0}');
INSERT INTO public.leases VALUES ('alpha', 'coordinator', 1, 1796076302.808368);
INSERT INTO public.library_entries VALUES ('cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604', '{"kind":"library_entry","key":"cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604","stage":"E1","variant":"RA","weights":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","cost":{"params":1099511627776,"macs":1125899906842624,"attention_macs":3},"block_loss":0.25,"band_losses":[],"curve":[[0,1.0],[9,0.5]],"seconds":0.0}', 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 4398046511104);
INSERT INTO public.library_entries VALUES ('nobody uses this', '{"kind":"library_entry","key":"nobody uses this","stage":"E1","variant":"RA","weights":"","cost":{"params":1099511627776,"macs":1125899906842624,"attention_macs":3},"block_loss":0.25,"band_losses":[],"curve":[[0,1.0],[9,0.5]],"seconds":0.0}', '', 0);
INSERT INTO public.library_uses VALUES ('alpha', 'cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604');
INSERT INTO public.library_uses VALUES ('done', 'cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604');
INSERT INTO public.projects VALUES ('default', 0, '{}');
INSERT INTO public.searches VALUES ('done', 1750000100.5, 'completed', 'run', 0, '{"id":"done","spec":{"schema_version":1,"name":"a search","teacher":{"source":"reference","revision":"","random_weights":false,"fingerprint":""},"space":{},"calibration":{"source":"reference","path":"","samples":192,"holdout":64,"latent_size":16,"bands":8,"seed":0,"conditioning":{"kind":"null","path":""}},"distillation":{"steps":200,"batch":16,"learning_rate":0.001,"seed":0,"initialise":"teacher"},"fidelity":{"metrics":["noise_mse","noise_mse_relative","feature_distance"],"batch":16,"stop_early":true},"latency":null,"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1,"grid":[]}],"strategy":{"name":"auto","initial_trials":8},"budget":{"trials":40,"wall_time_s":null},"parallelism":2,"resources":{"cpus":1.0,"gpus":0.0,"memory_bytes":0},"trial_timeout_s":1800.0,"max_attempts":3,"seed":0},"space":{"stages":[{"stage":"E1","variants":["teacher","RA","R","narrow"]},{"stage":"E2","variants":["teacher","RA","R","narrow"]},{"stage":"E3","variants":["teacher","RA","R","narrow"]},{"stage":"E4","variants":["teacher","RA","R","narrow"]},{"stage":"E5","variants":["teacher","RA","R","narrow"]},{"stage":"E6","variants":["teacher","RA","R","narrow"]}]},"stages":[],"status":"completed","created_at":1750000100.5,"ran_s":12.5,"failure":null,"project":"default","kind":"search","parent":"","seeds":[]}', 'default', 'search', 'a search', 40, '6096684283591286ebcb2ed22f5a50def5d6382f9ba00d7e4ab63a6874870ec1', NULL);
INSERT INTO public.searches VALUES ('alpha', 1750000000.25, 'created', 'pause', 3, '{"id":"alpha","spec":{"schema_version":1,"name":"a search","teacher":{"source":"reference","revision":"","random_weights":false,"fingerprint":""},"space":{},"calibration":{"source":"reference","path":"","samples":192,"holdout":64,"latent_size":16,"bands":8,"seed":0,"conditioning":{"kind":"null","path":""}},"distillation":{"steps":200,"batch":16,"learning_rate":0.001,"seed":0,"initialise":"teacher"},"fidelity":{"metrics":["noise_mse","noise_mse_relative","feature_distance"],"batch":16,"stop_early":true},"latency":null,"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1,"grid":[]}],"strategy":{"name":"auto","initial_trials":8},"budget":{"trials":40,"wall_time_s":null},"parallelism":2,"resources":{"cpus":1.0,"gpus":0.0,"memory_bytes":0},"trial_timeout_s":1800.0,"max_attempts":3,"seed":0},"space":{"stages":[{"stage":"E1","variants":["teacher","RA","R","narrow"]},{"stage":"E2","variants":["teacher","RA","R","narrow"]},{"stage":"E3","variants":["teacher","RA","R","narrow"]},{"stage":"E4","variants":["teacher","RA","R","narrow"]},{"stage":"E5","variants":["teacher","RA","R","narrow"]},{"stage":"E6","variants":["teacher","RA","R","narrow"]}]},"stages":[],"status":"created","created_at":1750000000.25,"ran_s":0.0,"failure":null,"project":"default","kind":"search","parent":"","seeds":[]}', 'default', 'search', 'a search', 40, '6096684283591286ebcb2ed22f5a50def5d6382f9ba00d7e4ab63a6874870ec1', NULL);
INSERT INTO public.trials VALUES ('alpha', 0, '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 'candidate', '{"search":"alpha","number":0,"architecture":{"choices":{"E1":"teacher","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":0,"status":"candidate","attempts":[],"evaluation":null,"failure":null,"created_at":12.5}', 1, '["sobol",0,{"E1":"teacher","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"},{}]');
INSERT INTO public.trials VALUES ('alpha', 1, '40aebc7380204b8266c346e8121c812267dfe6e4762bad88eb4c4db027549c80', 'running', '{"search":"alpha","number":1,"architecture":{"choices":{"E1":"RA","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":0,"status":"running","attempts":[{"started_at":1.0,"ended_at":2.0,"failure":{"code":"transient_error","message":"worker lost: ε \u0000 ☃","transient":true}}],"evaluation":null,"failure":null,"created_at":12.5}', 1, '["sobol",0,{"E1":"RA","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"},{}]');
INSERT INTO public.trials VALUES ('alpha', 2, 'a81c3c6d4c1d4731710133cb7135cb7bb11a230edbbe25637de395c90a1f07cc', 'completed', '{"search":"alpha","number":2,"architecture":{"choices":{"E1":"R","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":1,"status":"completed","attempts":[],"evaluation":{"kind":"evaluation","metrics":{"noise_mse":{"mean":0.30000000000000004,"sem":1e-17,"samples":64,"unit":"1"}},"band_noise_mse":[0.5,0.25],"stage_distances":{"E1":0.125},"share":1.0},"failure":null,"created_at":12.5}', 1, '["sobol",1,{"E1":"R","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"},{"noise_mse":[0.30000000000000004,1e-17,"1"]}]');
INSERT INTO public.trials VALUES ('done', 3, '08dd49e6814be4bdf549a388c1cb4b0c099441970af966def7941f709f18f9f9', 'abandoned', '{"search":"done","number":3,"architecture":{"choices":{"E1":"narrow","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":0,"status":"abandoned","attempts":[],"evaluation":null,"failure":{"code":"evaluation_error","message":"not finite","transient":false},"created_at":12.5}', 1, '["sobol",0,{"E1":"narrow","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"},{}]');
SELECT pg_catalog.setval('public.audit_id_seq', 1, false);
ALTER TABLE ONLY public.blocksmith_schema_version
    ADD CONSTRAINT blocksmith_schema_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (id);
ALTER TABLE ONLY public.bounds
    ADD CONSTRAINT pk_bounds PRIMARY KEY (search, version);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT pk_devices PRIMARY KEY (observer, name);
ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT pk_evaluations PRIMARY KEY (key);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (search, id);
ALTER TABLE ONLY public.exports
    ADD CONSTRAINT pk_exports PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT pk_idempotency PRIMARY KEY (project, key);
ALTER TABLE ONLY public.latencies
    ADD CONSTRAINT pk_latencies PRIMARY KEY (key);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (name);
ALTER TABLE ONLY public.library_entries
    ADD CONSTRAINT pk_library_entries PRIMARY KEY (key);
ALTER TABLE ONLY public.library_uses
    ADD CONSTRAINT pk_library_uses PRIMARY KEY (search, key);
ALTER TABLE ONLY public.processes
    ADD CONSTRAINT pk_processes PRIMARY KEY (id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT pk_projects PRIMARY KEY (id);
ALTER TABLE ONLY public.searches
    ADD CONSTRAINT pk_searches PRIMARY KEY (id);
ALTER TABLE ONLY public.trial_logs
    ADD CONSTRAINT pk_trial_logs PRIMARY KEY (search, number, attempt);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT pk_trials PRIMARY KEY (search, number);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT uq_trials_search_architecture UNIQUE (search, architecture);
CREATE INDEX ix_api_keys_project ON public.api_keys USING btree (project);
CREATE INDEX ix_audit_project_id ON public.audit USING btree (project, id);
CREATE INDEX ix_devices_seen_at ON public.devices USING btree (seen_at);
CREATE INDEX ix_exports_artifact ON public.exports USING btree (artifact);
CREATE INDEX ix_exports_project ON public.exports USING btree (project);
CREATE INDEX ix_exports_search ON public.exports USING btree (search);
CREATE INDEX ix_exports_status ON public.exports USING btree (status);
CREATE INDEX ix_idempotency_at ON public.idempotency USING btree (at);
CREATE INDEX ix_library_entries_weights ON public.library_entries USING btree (weights);
CREATE INDEX ix_library_uses_key ON public.library_uses USING btree (key);
CREATE INDEX ix_processes_beat_at ON public.processes USING btree (beat_at);
CREATE INDEX ix_searches_created_at ON public.searches USING btree (created_at);
CREATE INDEX ix_searches_library ON public.searches USING btree (library);
CREATE INDEX ix_searches_project_created_at_id ON public.searches USING btree (project, created_at, id);
CREATE INDEX ix_searches_status_created_at ON public.searches USING btree (status, created_at);
CREATE INDEX ix_trials_search_changed ON public.trials USING btree (search, changed);
CREATE INDEX ix_trials_search_status ON public.trials USING btree (search, status);
ALTER TABLE ONLY public.bounds
    ADD CONSTRAINT fk_bounds_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT fk_events_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
ALTER TABLE ONLY public.exports
    ADD CONSTRAINT fk_exports_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
ALTER TABLE ONLY public.library_uses
    ADD CONSTRAINT fk_library_uses_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
ALTER TABLE ONLY public.trial_logs
    ADD CONSTRAINT fk_trial_logs_search_number_trials FOREIGN KEY (search, number) REFERENCES public.trials(search, number);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT fk_trials_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
