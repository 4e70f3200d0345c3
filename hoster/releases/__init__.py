"""What was deployed: releases, deploying anew, and going back to an earlier release."""
