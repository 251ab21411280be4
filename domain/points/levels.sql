-- POINTS-04 while memory cannot tell: the levels, lowest first.
-- One row: the reply.
SELECT json_build_object('success', true, 'data', json_build_object('levels', coalesce((
    SELECT json_agg(json_build_object('name', name, 'tier', tier, 'minPoints', min_points, 'perks', perks) ORDER BY tier)
    FROM level_configs), '[]')))
