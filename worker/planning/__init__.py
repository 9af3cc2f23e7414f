"""Plans jobs: surveys the images, loads each model once, and cuts the images into shards."""
