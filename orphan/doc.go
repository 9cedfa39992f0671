package orphan
