-- What the live deployments on each node were promised, kept by the statements that change it (as in tallies): a node is chosen
-- without reading every deployment.
ALTER TABLE nodes ADD COLUMN promised_cpu_millis INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN promised_memory_mb INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN promised_disk_mb INTEGER NOT NULL DEFAULT 0;

UPDATE nodes SET (promised_cpu_millis, promised_memory_mb, promised_disk_mb) =
    (SELECT coalesce(sum(d.cpu_millis), 0), coalesce(sum(d.memory_mb), 0), coalesce(sum(d.disk_mb), 0)
     FROM deployments d WHERE d.node_id = nodes.id AND d.status <> 'deleted');

CREATE TRIGGER promise_room_to_a_new_deployment AFTER INSERT ON deployments
    WHEN new.node_id IS NOT NULL AND new.status <> 'deleted' BEGIN
    UPDATE nodes SET promised_cpu_millis = promised_cpu_millis + new.cpu_millis, promised_memory_mb = promised_memory_mb + new.memory_mb,
                     promised_disk_mb = promised_disk_mb + new.disk_mb
    WHERE id = new.node_id;
END;

CREATE TRIGGER promise_room_to_a_changed_deployment AFTER UPDATE OF node_id, status, cpu_millis, memory_mb, disk_mb ON deployments BEGIN
    UPDATE nodes SET promised_cpu_millis = promised_cpu_millis - old.cpu_millis, promised_memory_mb = promised_memory_mb - old.memory_mb,
                     promised_disk_mb = promised_disk_mb - old.disk_mb
    WHERE id = old.node_id AND old.status <> 'deleted';
    UPDATE nodes SET promised_cpu_millis = promised_cpu_millis + new.cpu_millis, promised_memory_mb = promised_memory_mb + new.memory_mb,
                     promised_disk_mb = promised_disk_mb + new.disk_mb
    WHERE id = new.node_id AND new.status <> 'deleted';
END;
