-- The levels, lowest first, as one JSON array.
SELECT coalesce(json_agg(json_build_object('name', name, 'tier', tier, 'minPoints', min_points, 'perks', perks) ORDER BY tier), '[]')
FROM level_configs
