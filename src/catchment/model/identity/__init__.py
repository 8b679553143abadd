"""Who is who: identifiers that were seen together become people, by rules that depend on no order and no batch."""
