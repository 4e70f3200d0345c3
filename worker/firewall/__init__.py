"""Who may reach this node: packets by nftables, other organisations' requests by the mesh."""
