"""A folder of named voices that several processes may share."""
