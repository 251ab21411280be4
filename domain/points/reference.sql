-- The references of points that services have reported; the primary key decides that each is new.
-- $1 the postings' ids, $2 keys, $3 types, $4 reference types, $5 reference ids: arrays of one length
-- No rows.
INSERT INTO point_references (api_key_id, type, reference_type, reference_id, posting)
SELECT key, type, reference_type, reference_id, posting
FROM unnest($1::bigint[], $2::text[]::bigint[], $3::text[], $4::text[], $5::text[]) AS a (posting, key, type, reference_type, reference_id)
