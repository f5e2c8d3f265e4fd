"""What the services find ready-made: roles, schemas, tables, streams, clients."""
