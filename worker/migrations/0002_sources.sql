-- A request holds several services, with passwords among their variables: it is sealed as a whole. Earlier ones stay readable.
ALTER TABLE deploys ADD COLUMN sealed_request BLOB;
ALTER TABLE releases ADD COLUMN sealed_request BLOB;

UPDATE deploys SET request = json_object(
    'services', json_array(json_object(
        'name', 'web',
        'image', json_extract(request, '$.image'),
        'port', json_extract(request, '$.port'),
        'command', json(json_extract(request, '$.command')),
        'healthcheck', json(json_extract(request, '$.healthcheck')))),
    'web', 'web',
    'release', json_extract(request, '$.release'));
UPDATE releases SET request = json_object(
    'services', json_array(json_object(
        'name', 'web',
        'image', json_extract(request, '$.image'),
        'port', json_extract(request, '$.port'),
        'command', json(json_extract(request, '$.command')),
        'healthcheck', json(json_extract(request, '$.healthcheck')))),
    'web', 'web',
    'release', json_extract(request, '$.release'));

-- The pinned image of each service, and the commit or file that it was built from.
ALTER TABLE releases ADD COLUMN images TEXT NOT NULL DEFAULT '{}';
ALTER TABLE releases ADD COLUMN revision TEXT NOT NULL DEFAULT '';
UPDATE releases SET images = json_object('web', json_object('image_id', image_id, 'digest', digest));
ALTER TABLE releases DROP COLUMN image_id;
ALTER TABLE releases DROP COLUMN digest;

-- What deploys brought to the engine beside the images that carry our label: pulled images, and the layers of builds. Each with the deploy
-- that used it last, so that it can go when that deploy is forgotten.
CREATE TABLE fetched_images (
    image_id  TEXT PRIMARY KEY,
    reference TEXT NOT NULL,
    deploy_id TEXT NOT NULL
) STRICT;
