CREATE TABLE public.blocksmith_schema_version (
    version_num character varying(32) NOT NULL
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
    document text NOT NULL
);
CREATE TABLE public.searches (
    id character varying NOT NULL,
    created_at double precision NOT NULL,
    status character varying(16) NOT NULL,
    intent character varying(16) NOT NULL,
    last_event integer NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.trials (
    search character varying NOT NULL,
    number integer NOT NULL,
    architecture character varying(64) NOT NULL,
    status character varying(16) NOT NULL,
    document text NOT NULL
);
INSERT INTO public.blocksmith_schema_version VALUES ('0001');
INSERT INTO public.evaluations VALUES ('evaluation key', '{ "odd":1.0,  "text": "ε" }');
INSERT INTO public.events VALUES ('alpha', 1, 'search', '{"facts":{"number":0}}', 0.25);
INSERT INTO public.events VALUES ('alpha', 2, 'trial', '{"facts":{"number":1}}', 1.25);
INSERT INTO public.events VALUES ('alpha', 3, 'trial', '{"facts":{"number":2}}', 2.25);
INSERT INTO public.latencies VALUES ('latency key', '{"kind":"latency","subject":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","device":{"name":"host","backend":"onnxruntime","runtime":"onnxruntime 1.31","kind":"measured","labels":{}},"protocol":{"warmup":3,"repeats":15,"seconds":0.2,"batch":1,"threads":1,"precision":"fp32","timeout_s":300.0},"samples_ms":[1.0,2.0,3.0],"median_ms":2.0,"p90_ms":3.0,"interval_ms":[1.0,3.0]}');
INSERT INTO public.leases VALUES ('alpha', 'coordinator', 1, 1795414826.206378);
INSERT INTO public.library_entries VALUES ('cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604', '{"kind":"library_entry","key":"cc51071abc2199643c794610314c461f453417defdca3bbd1486f48ffe273604","stage":"E1","variant":"RA","weights":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","cost":{"params":1099511627776,"macs":1125899906842624,"attention_macs":3},"block_loss":0.25,"band_losses":[],"curve":[[0,1.0],[9,0.5]],"seconds":0.0}');
INSERT INTO public.library_entries VALUES ('nobody uses this', '{"kind":"library_entry","key":"nobody uses this","stage":"E1","variant":"RA","weights":"","cost":{"params":1099511627776,"macs":1125899906842624,"attention_macs":3},"block_loss":0.25,"band_losses":[],"curve":[[0,1.0],[9,0.5]],"seconds":0.0}');
INSERT INTO public.searches VALUES ('done', 1750000100.5, 'completed', 'run', 0, '{"id":"done","spec":{"schema_version":1,"name":"a search","teacher":{"source":"reference","revision":"","random_weights":false,"fingerprint":""},"space":{},"calibration":{"source":"reference","path":"","samples":192,"holdout":64,"latent_size":16,"bands":8,"seed":0,"conditioning":{"kind":"null","path":""}},"distillation":{"steps":200,"batch":16,"learning_rate":0.001,"seed":0,"initialise":"teacher"},"fidelity":{"metrics":["noise_mse","noise_mse_relative","feature_distance"],"batch":16},"latency":null,"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1}],"strategy":{"name":"auto","initial_trials":8},"budget":{"trials":40,"wall_time_s":null},"parallelism":2,"resources":{"cpus":1.0,"gpus":0.0,"memory_bytes":0},"trial_timeout_s":1800.0,"max_attempts":3,"seed":0},"space":{"stages":[{"stage":"E1","variants":["teacher","RA","R","narrow"]},{"stage":"E2","variants":["teacher","RA","R","narrow"]},{"stage":"E3","variants":["teacher","RA","R","narrow"]},{"stage":"E4","variants":["teacher","RA","R","narrow"]},{"stage":"E5","variants":["teacher","RA","R","narrow"]},{"stage":"E6","variants":["teacher","RA","R","narrow"]}]},"problems":[{"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1}]}],"status":"completed","created_at":1750000100.5,"ran_s":12.5,"failure":null}');
INSERT INTO public.searches VALUES ('alpha', 1750000000.25, 'created', 'pause', 3, '{"id":"alpha","spec":{"schema_version":1,"name":"a search","teacher":{"source":"reference","revision":"","random_weights":false,"fingerprint":""},"space":{},"calibration":{"source":"reference","path":"","samples":192,"holdout":64,"latent_size":16,"bands":8,"seed":0,"conditioning":{"kind":"null","path":""}},"distillation":{"steps":200,"batch":16,"learning_rate":0.001,"seed":0,"initialise":"teacher"},"fidelity":{"metrics":["noise_mse","noise_mse_relative","feature_distance"],"batch":16},"latency":null,"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1}],"strategy":{"name":"auto","initial_trials":8},"budget":{"trials":40,"wall_time_s":null},"parallelism":2,"resources":{"cpus":1.0,"gpus":0.0,"memory_bytes":0},"trial_timeout_s":1800.0,"max_attempts":3,"seed":0},"space":{"stages":[{"stage":"E1","variants":["teacher","RA","R","narrow"]},{"stage":"E2","variants":["teacher","RA","R","narrow"]},{"stage":"E3","variants":["teacher","RA","R","narrow"]},{"stage":"E4","variants":["teacher","RA","R","narrow"]},{"stage":"E5","variants":["teacher","RA","R","narrow"]},{"stage":"E6","variants":["teacher","RA","R","narrow"]}]},"problems":[{"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.1}]},{"objectives":["params"],"constraints":[{"metric":"noise_mse","at_most":0.30000000000000004}]}],"status":"created","created_at":1750000000.25,"ran_s":0.0,"failure":null}');
INSERT INTO public.trials VALUES ('alpha', 0, '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 'candidate', '{"search":"alpha","number":0,"architecture":{"choices":{"E1":"teacher","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":0,"status":"candidate","attempts":[],"evaluation":null,"failure":null,"created_at":12.5}');
INSERT INTO public.trials VALUES ('alpha', 1, '40aebc7380204b8266c346e8121c812267dfe6e4762bad88eb4c4db027549c80', 'running', '{"search":"alpha","number":1,"architecture":{"choices":{"E1":"RA","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":0,"status":"running","attempts":[{"started_at":1.0,"ended_at":2.0,"failure":{"code":"transient_error","message":"worker lost: ε \u0000 ☃","transient":true}}],"evaluation":null,"failure":null,"created_at":12.5}');
INSERT INTO public.trials VALUES ('alpha', 2, 'a81c3c6d4c1d4731710133cb7135cb7bb11a230edbbe25637de395c90a1f07cc', 'completed', '{"search":"alpha","number":2,"architecture":{"choices":{"E1":"R","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":1,"status":"completed","attempts":[],"evaluation":{"kind":"evaluation","metrics":{"noise_mse":{"mean":0.30000000000000004,"sem":1e-17,"samples":64,"unit":"1"}},"band_noise_mse":[0.5,0.25],"stage_distances":{"E1":0.125}},"failure":null,"created_at":12.5}');
INSERT INTO public.trials VALUES ('done', 3, '08dd49e6814be4bdf549a388c1cb4b0c099441970af966def7941f709f18f9f9', 'abandoned', '{"search":"done","number":3,"architecture":{"choices":{"E1":"narrow","E2":"teacher","E3":"teacher","E4":"teacher","E5":"teacher","E6":"teacher"}},"origin":"sobol","bounds_version":0,"status":"abandoned","attempts":[],"evaluation":null,"failure":{"code":"evaluation_error","message":"not finite","transient":false},"created_at":12.5}');
ALTER TABLE ONLY public.blocksmith_schema_version
    ADD CONSTRAINT blocksmith_schema_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT pk_evaluations PRIMARY KEY (key);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (search, id);
ALTER TABLE ONLY public.latencies
    ADD CONSTRAINT pk_latencies PRIMARY KEY (key);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (name);
ALTER TABLE ONLY public.library_entries
    ADD CONSTRAINT pk_library_entries PRIMARY KEY (key);
ALTER TABLE ONLY public.searches
    ADD CONSTRAINT pk_searches PRIMARY KEY (id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT pk_trials PRIMARY KEY (search, number);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT uq_trials_search_architecture UNIQUE (search, architecture);
CREATE INDEX ix_searches_created_at ON public.searches USING btree (created_at);
CREATE INDEX ix_trials_search_status ON public.trials USING btree (search, status);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT fk_events_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT fk_trials_search_searches FOREIGN KEY (search) REFERENCES public.searches(id);
