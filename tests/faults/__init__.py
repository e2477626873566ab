"""What must hold when machines, disks, networks and people do their worst."""
