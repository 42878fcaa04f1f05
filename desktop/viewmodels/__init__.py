"""What the window shows and does, without a pixel: each subject derives its properties from its inputs."""
